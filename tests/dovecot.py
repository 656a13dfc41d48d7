"""A real Dovecot for tests: its own folder, its own ports, run in the foreground and ended by its process
group.

Any user name works, with the password `secret`. Use the fixtures through `pytest_plugins`, or `from
tests.dovecot import ...` in a conftest.py: `dovecot` is started anew for each test, `shared_dovecot` once for
a session.
"""

import datetime as dt
import imaplib
import ipaddress
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PROGRAM = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""
PASSWORD = "secret"
MAIL_ID = 65534
START_SECONDS = 15.0

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
listen = 127.0.0.1
protocols = imap
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login{token_mechanisms}
auth_username_chars =
{token_passdb}passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={id} gid={id} home={dir}/mail/%u allow_all_users=yes
}}
first_valid_uid = {id}
first_valid_gid = 0
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 0
mailbox_idle_check_interval = 1 secs
default_vsz_limit = 0
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  service_count = 0
  client_limit = 4000
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 2000
  service_count = 100
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""

ACL_CONFIG = """
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
}
plugin {
  acl = vfile
}
"""
"""Rights of folders (RFC 4314); see `Dovecot.allow`."""

TOKEN_PASSDB = """passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf
}}
"""
TOKEN_CONFIG = """
introspection_mode = post
introspection_url = {url}
username_attribute = username
active_attribute = active
active_value = true
"""


class Dovecot:
    """A Dovecot below one folder. It keeps its mail and its ports over stop and start.

    With `introspection_url`, the address of a token server (RFC 7662), it also takes access tokens. With `acl` folders
    have rights.
    """

    def __init__(self, folder: Path, introspection_url: str = "", *, acl: bool = False) -> None:
        self.folder = folder
        self.host = "127.0.0.1"
        self.port, self.tls_port = _free_ports(2)
        self.ca_file = folder / "cert.pem"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        folder.chmod(0o755)
        (folder / "mail").mkdir()
        os.chown(folder / "mail", MAIL_ID, MAIL_ID)
        _make_certificate(folder)
        self._config = folder / "dovecot.conf"
        (folder / "oauth2.conf").write_text(TOKEN_CONFIG.format(url=introspection_url))
        self._config.write_text(
            CONFIG.format(
                dir=folder,
                password=PASSWORD,
                id=MAIL_ID,
                port=self.port,
                tls_port=self.tls_port,
                token_mechanisms=" xoauth2 oauthbearer" if introspection_url else "",
                token_passdb=TOKEN_PASSDB.format(dir=folder) if introspection_url else "",
            )
            + (ACL_CONFIG if acl else "")
        )

    def start(self) -> None:
        """Start and wait until it answers."""
        self._process = subprocess.Popen(
            [PROGRAM, "-F", "-c", str(self._config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"Dovecot did not start:\n{self.log()[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in order; it says BYE to its clients."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all its processes at once."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop all its processes; connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """What it wrote into its log."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def drop(self, user: str, raw: bytes, folder: str = "INBOX", received_at: float | None = None) -> None:
        """Deliver a mail as a local delivery agent does: a file in Maildir, which Dovecot notices by
        itself.
        """
        when = time.time() if received_at is None else received_at
        data = raw.replace(b"\r\n", b"\n")
        name = f"{int(when)}.M{time.time_ns() % 10**9}P{next(self._numbers)}.test,S={len(data)}"
        maildir = self._maildir(user, folder)
        path = maildir / "tmp" / name
        path.write_bytes(data)
        os.chown(path, MAIL_ID, MAIL_ID)
        os.utime(path, (when, when))
        path.rename(maildir / "new" / name)

    def append(self, user: str, raw: bytes, folder: str = "INBOX", flags: str = "") -> None:
        """Deliver a mail by IMAP's APPEND."""
        with self.client(user) as client:
            status, answer = client.append(_quoted(folder), flags, "", raw)
            assert status == "OK", answer

    def make_folder(self, user: str, folder: str) -> None:
        """Make a folder; its name as it is on the wire."""
        with self.client(user) as client:
            status, answer = client.create(_quoted(folder))
            assert status == "OK", answer

    def allow(self, user: str, folder: str, rights: str) -> None:
        """Give the account these rights to a folder of its own, and no other ones (RFC 4314 section 2.1).

        Sessions that are open keep the rights they know.
        """
        path = self._maildir(user, folder) / "dovecot-acl"
        path.write_text(f"owner {rights}\n")

    def client(self, user: str) -> imaplib.IMAP4:
        """Another mail program of the same account, signed in."""
        client = imaplib.IMAP4(self.host, self.port, timeout=START_SECONDS)
        client.login(user, PASSWORD)
        return client

    def forget_uids(self, user: str, folder: str = "INBOX") -> None:
        """Make Dovecot number the folder anew, with another UIDVALIDITY."""
        for file in self._maildir(user, folder).glob("dovecot*"):
            if file.is_file():
                file.unlink()

    def back_up(self, user: str) -> Path:
        """Make a copy of an account's mail, as a backup of the server has it. Only while it is stopped."""
        copy = self.folder / "backup" / user
        shutil.copytree(self.folder / "mail" / user, copy)
        return copy

    def restore(self, user: str, copy: Path) -> None:
        """Put an earlier copy of an account's mail in the place of what is there. Only while it is stopped."""
        there = self.folder / "mail" / user
        shutil.rmtree(there)
        shutil.copytree(copy, there)
        for path in (there, *there.rglob("*")):
            os.chown(path, MAIL_ID, MAIL_ID)

    def _maildir(self, user: str, folder: str) -> Path:
        maildir = self.folder / "mail" / user / "Maildir"
        if folder != "INBOX":
            maildir /= "." + folder.replace("/", ".")
        for part in ("cur", "new", "tmp"):
            (maildir / part).mkdir(parents=True, exist_ok=True)
            os.chown(maildir / part, MAIL_ID, MAIL_ID)
        for parent in (maildir, *maildir.parents):
            if parent == self.folder / "mail":
                break
            os.chown(parent, MAIL_ID, MAIL_ID)
        return maildir

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                return connection.recv(4) == b"* OK"
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self.thaw()
        self._signal(number)
        try:
            self._process.wait(timeout=START_SECONDS)
        finally:
            self._signal(signal.SIGKILL)
            self._process = None


def _quoted(folder: str) -> str:
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _make_certificate(folder: Path) -> None:
    """Self-made, for 127.0.0.1 and localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def skip_where_missing() -> None:
    """Skip the test where Dovecot cannot be run."""
    if not PROGRAM:
        pytest.skip("dovecot is not installed")
    if os.getuid() != 0:
        pytest.skip("dovecot must be started as root")


@contextmanager
def running(introspection_url: str = "", *, acl: bool = False) -> Iterator[Dovecot]:
    """A Dovecot while the block runs. The test is skipped where there is none."""
    skip_where_missing()
    # Dovecot's sockets need short paths (at most 107 bytes), which pytest's own folders are not.
    with TemporaryDirectory(prefix="dovecot-", ignore_cleanup_errors=True) as folder:
        server = Dovecot(Path(folder), introspection_url, acl=acl)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """A Dovecot of the test's own, which it may stop, kill and freeze."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def shared_dovecot() -> Iterator[Dovecot]:
    """One Dovecot for many tests, each with users of its own."""
    with running() as server:
        yield server
