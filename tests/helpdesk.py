"""A real django-helpdesk in a process of its own: installed from PyPI, driven over HTTP like its users drive it."""

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

VERSION = "2.6.1"
CACHE_VARIABLE = "ACD_BRIDGE_TEST_CACHE"
QUEUE_SLUG = "DH"
STAFF = {"username": "agent", "password": "agents-own-password"}
INSTALL_SECONDS = 300
START_SECONDS = 120

SETTINGS = """
import os
from pathlib import Path
HERE = Path(__file__).parent
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "site_urls"
INSTALLED_APPS = [f"django.contrib.{app}" for app in (
    "admin", "auth", "contenttypes", "sessions", "messages", "staticfiles", "sites", "humanize",
)] + ["helpdesk", "rest_framework"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
    "context_processors": ["django.template.context_processors." + one for one in ("debug", "request")]
    + ["django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"]}}]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "site.sqlite3", "OPTIONS": {"timeout": 30}}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
STATIC_URL, MEDIA_ROOT, SITE_ID, USE_TZ = "/static/", str(HERE / "media"), 1, True
LOGIN_URL = "/login/"
HELPDESK_TEAMS_MODE_ENABLED = False
"""

URLS = """
from django.contrib import admin
from django.urls import include, path
urlpatterns = [path("admin/", admin.site.urls), path("", include("helpdesk.urls", namespace="helpdesk"))]
"""

PROGRAM = """
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
import django
django.setup()
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

def prepare(slug, username, password):
    call_command("migrate", verbosity=0)
    call_command("loaddata", "emailtemplate.json", verbosity=0)
    from django.contrib.auth.models import User
    from helpdesk.models import Queue
    User.objects.create_superuser(username, "agent@example.net", password)
    Queue.objects.create(
        title="Service Desk", slug=slug, allow_public_submission=True, allow_email_submission=True,
        email_address="helpdesk@example.com", email_box_type="local", email_box_interval=0,
        email_box_local_dir=str(Path(__file__).parent / "mail"), logging_type="none",
    )

def serve():
    with Server(("127.0.0.1", 0), Quiet) as server:
        server.set_app(get_wsgi_application())
        print("listening on", server.server_port, flush=True)
        server.serve_forever()

def take_in_mail():
    call_command("get_email", quiet=True)

{"prepare": prepare, "serve": serve, "take_in_mail": take_in_mail}[sys.argv[1]](*sys.argv[2:])
"""


class InstallError(Exception):
    """django-helpdesk cannot be installed here; the text says why."""


async def installed_python() -> Path:
    """The interpreter of an environment with django-helpdesk, installed at the first call.

    It is kept in $ACD_BRIDGE_TEST_CACHE, else ~/.cache/acd-bridge-tests. Raises InstallError.
    """
    default = Path.home() / ".cache" / "acd-bridge-tests"
    cache = Path(os.environ.get(CACHE_VARIABLE) or default)
    name = f"django-helpdesk-{VERSION}-python{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / name
    cache.mkdir(parents=True, exist_ok=True)
    async with _alone(cache / f"{name}.lock"):
        if not (folder / "complete").exists():
            await _install(folder)
    return folder / "bin" / "python"


@contextlib.asynccontextmanager
async def _alone(lock: Path) -> AsyncIterator[None]:
    """Two test runs on one machine must not install into the same folder at the same time."""
    with lock.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield


async def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"django-helpdesk=={VERSION}"]
    try:
        async with asyncio.timeout(INSTALL_SECONDS):
            await _run(sys.executable, "-m", "venv", str(folder))
            await _run(str(folder / "bin" / "python"), *pip)
    except (OSError, RuntimeError, TimeoutError) as error:
        raise InstallError(f"django-helpdesk {VERSION} cannot be installed: {error}") from error
    (folder / "complete").touch()


async def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run to the end. Raises RuntimeError with the last line that the command wrote."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        lines = output.decode(errors="replace").strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit code {process.returncode}")


class HelpdeskSite:
    """A running django-helpdesk. Use `start`, and `close` it at the end, or use it as a context."""

    def __init__(self, python: Path, folder: Path, environ: dict[str, str]) -> None:
        self._python = python
        self._folder = folder
        self._environ = environ
        self._server: asyncio.subprocess.Process | None = None
        self._staff: aiohttp.ClientSession | None = None
        self.base_url = ""

    @classmethod
    async def start(cls, webhook_new_url: str, webhook_followup_url: str) -> Self:
        """A new, empty site that posts new tickets and follow-ups to these addresses. Raises InstallError."""
        python = await installed_python()
        folder = Path(tempfile.mkdtemp(prefix="django-helpdesk-"))
        site = cls(python, folder, _environ(webhook_new_url, webhook_followup_url))
        try:
            for name, text in _site_files():
                (folder / name).write_text(text)
            (folder / "mail").mkdir()
            async with asyncio.timeout(START_SECONDS):
                await site._call("prepare", QUEUE_SLUG, *STAFF.values())
                await site._serve()
        except BaseException:
            await site.close()
            raise
        return site

    async def create_ticket(self, email: str, title: str, body: str, *, priority: int = 3) -> str:
        """Open a ticket through the public form, as a customer does; the ticket's number, such as DH-1."""
        fields = {
            "queue": "1",
            "title": title,
            "body": body,
            "priority": str(priority),
            "submitter_email": email,
        }
        async with _browser() as customer:
            seen = await self._post_form(customer, "/tickets/submit/", fields)
        match = re.search(r"[?&]ticket=([\w-]+)", seen)
        if match is None:
            raise AssertionError(f"the form was not accepted: {seen}")
        return match[1]

    async def reply(self, number: str, comment: str, *, public: bool = True) -> None:
        """Answer a ticket as a member of staff, or write a private note."""
        if self._staff is None:
            self._staff = _browser()
            await self._post_form(self._staff, "/login/", STAFF)
        fields = {"comment": comment, **({"public": "1"} if public else {})}
        ticket = number.rpartition("-")[2]
        current = {"title": "", "priority": "3", "queue": "1", "new_status": "1", "owner": "0"}
        title = re.search(
            r'name="title"[^>]*value="([^"]*)"', await self._get(self._staff, f"/tickets/{ticket}/")
        )
        current["title"] = title[1] if title else "Ticket"
        await self._post_form(self._staff, f"/tickets/{ticket}/update/", {**current, **fields})

    async def customer_mail(self, email: str, number: str, title: str, body: str) -> None:
        """Let a customer's reply by mail be taken in by django-helpdesk's own mail import."""
        mail = EmailMessage()
        mail["From"] = email
        mail["To"] = "helpdesk@example.com"
        mail["Subject"] = f"Re: [{number}] {title}"
        mail["Message-ID"] = f"<{len(body)}.{number}@example.org>"
        mail.set_content(body)
        (self._folder / "mail" / f"{number}.eml").write_bytes(mail.as_bytes())
        await self._call("take_in_mail")

    async def close(self) -> None:
        """End the process and remove the site's folder. May be called twice."""
        if self._staff is not None:
            await self._staff.close()
            self._staff = None
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                self._server.kill()
            await self._server.communicate()
            self._server = None
        shutil.rmtree(self._folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _serve(self) -> None:
        self._server = await asyncio.create_subprocess_exec(
            str(self._python), "site_program.py", "serve",
            cwd=self._folder, env=self._environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self._server.stdout is not None
        line = (await self._server.stdout.readline()).decode()
        port = line.removeprefix("listening on").strip()
        if not port.isdecimal():
            raise RuntimeError(f"django-helpdesk did not start: {line!r}")
        self.base_url = f"http://127.0.0.1:{port}"

    async def _call(self, *words: str) -> None:
        await _run(str(self._python), "site_program.py", *words, cwd=self._folder, env=self._environ)

    async def _get(self, browser: aiohttp.ClientSession, path: str) -> str:
        async with browser.get(self.base_url + path) as page:
            page.raise_for_status()
            return await page.text()

    async def _post_form(self, browser: aiohttp.ClientSession, path: str, fields: dict[str, str]) -> str:
        """Send a form as a browser does, with its CSRF token; where the site sends the browser next."""
        shown_at = path.replace("/update/", "/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', await self._get(browser, shown_at))
        data = {**fields, "csrfmiddlewaretoken": token[1] if token else ""}
        headers = {"Referer": self.base_url + path}
        async with browser.post(
            self.base_url + path, data=data, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status != 302:
                raise AssertionError(f"{path} answered {answer.status} instead of sending the browser on")
            return answer.headers["Location"]


def _browser() -> aiohttp.ClientSession:
    # Without `unsafe` aiohttp keeps no cookies of a host that is an IP address.
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


def _site_files() -> Iterator[tuple[str, str]]:
    yield "site_settings.py", SETTINGS
    yield "site_urls.py", URLS
    yield "site_program.py", PROGRAM


def _environ(webhook_new_url: str, webhook_followup_url: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "site_settings",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HELPDESK_NEW_TICKET_WEBHOOK_URLS": webhook_new_url,
        "HELPDESK_FOLLOWUP_WEBHOOK_URLS": webhook_followup_url,
    }
