"""One connection to a mail server, signed in: the few commands that the bridge needs, each of them
bounded.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Self, TypeVar

from aioimaplib import aioimaplib

from bridge import __version__
from bridge.intake.imap import folder_name, uid_set
from bridge.intake.imap.failure import Kind, MailServerError, puts_off, response_code, shown
from bridge.intake.imap.fetch_response import is_fetch
from bridge.intake.imap.grammar import GrammarError, parse_values, quoted
from bridge.intake.imap.protocol import Collect, ImapProtocol
from bridge.intake.imap.selected import Selected, is_exists, selected_from, uidnext_from_status
from bridge.intake.imap.splitter import Parts
from bridge.intake.imap.writable import Writable, writable_from
from bridge.points import Point, passing

LOGOUT_SECONDS = 1.0
"""How long a goodbye may take before the connection is cut."""
MAX_LISTED_FOLDERS, MAX_FOLDER_NAME = 10_000, 1000
"""Folders whose names are kept, and bytes of a name."""
MAX_TOLD, MAX_TOLD_LINE = 1000, 16 * 1024
"""Lines that are kept of the answer when a folder is opened, and bytes of each and of a line of capabilities."""
MAX_CAPABILITIES = 1000
MAX_FOUND = 2_000_000
"""UIDs in all answers to one SEARCH; who tells more tells them several times."""
UIDS_IN_A_SEARCH = 500
"""Keeps a command's line below the 8,000 bytes that servers take (RFC 7162 section 4)."""

T = TypeVar("T")


class Answer(NamedTuple):
    """The tagged answer to a command."""

    result: str
    """OK, NO or BAD."""
    words: str


class Connection:
    """Commands of one connection, one at a time. Made by `bridge.intake.imap.open_connection`.

    Every method raises MailServerError. After a time-out, a cancelled command or a lost connection it is of
    no more use: the transport is cut, and every later call fails.
    """

    def __init__(self, protocol: ImapProtocol, timeout: float) -> None:
        self.on_answer: Callable[[], None] | None = None
        """Called after each command: a sign of life within a long backlog."""
        self._protocol = protocol
        self._timeout = timeout
        self._busy = False
        self._idle: asyncio.Task[Any] | None = None
        self._idle_refused = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def can_idle(self) -> bool:
        """Whether the server tells news by itself (RFC 2177)."""
        return "IDLE" in self._protocol.capabilities and not self._idle_refused

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server can do, in capitals."""
        return frozenset(self._protocol.capabilities)

    async def command(
        self, name: str, *arguments: str, collect: Collect | None = None, prefix: str = ""
    ) -> Answer:
        """Send one command and wait for its answer."""
        protocol = self._protocol
        self._check_alive()
        try:
            command = aioimaplib.Command(
                name, protocol.new_tag(), *arguments, prefix=prefix, loop=protocol.loop
            )
        except ValueError as error:
            raise MailServerError(Kind.PROTOCOL, f"{name}: an argument contains NUL, CR or LF") from error
        protocol.collect = collect
        self._busy = True
        passing(Point.COMMAND_LEAVES)
        response = await self.bounded(protocol.execute(command), name)
        self._busy = False
        passing(Point.COMMAND_ANSWERED)
        if self.on_answer is not None:
            self.on_answer()
        words = response.lines[-1] if response.lines else b""
        return Answer(response.result, bytes(words).decode("utf-8", "replace"))

    async def expect_ok(
        self, name: str, *arguments: str, collect: Collect | None = None, prefix: str = ""
    ) -> Answer:
        """As `command`; NO and BAD are failures too."""
        answer = await self.command(name, *arguments, collect=collect, prefix=prefix)
        if answer.result != "OK":
            raise refused(name, answer)
        return answer

    async def ask_capabilities(self) -> None:
        """Ask anew; they may be others after STARTTLS and after sign-in (RFC 9051 section 6.1.1)."""
        found: set[str] = set()

        def collect(parts: Parts) -> bool:
            words = parts[0][:MAX_TOLD_LINE].decode("ascii", "replace").upper().split()
            if words[1:2] != ["CAPABILITY"]:
                return False
            found.update(words[2 : 2 + MAX_CAPABILITIES - len(found)])
            return True

        await self.expect_ok("CAPABILITY", collect=collect)
        self._protocol.capabilities = found

    async def introduce(self) -> None:
        """Say who we are where the server wants to know it (RFC 2971); some open no folder before that.

        Nothing depends on the answer. Raises MailServerError where the connection is lost.
        """
        if "ID" in self._protocol.capabilities:
            await self.command("ID", f'("name" "acd-bridge" "version" {quoted(__version__)})')

    async def examine(self, folder: str) -> Selected:
        """Open a folder without leave to change it; its view is that of this moment. News noted before are
        done.
        """
        self._protocol.news.clear()
        selected = await self._examine(folder)
        if not selected.uidnext:
            # STATUS first: what it tells must not be newer than the view that is read from.
            uidnext = await self._uidnext(folder)
            selected = await self._examine(folder)
            selected = Selected(selected.uidvalidity, selected.uidnext or uidnext, selected.exists)
        if not selected.uidvalidity or not selected.uidnext:
            raise MailServerError(
                Kind.PROTOCOL,
                f"the server tells no UIDVALIDITY or UIDNEXT of folder {folder!r}",
                hint="its messages cannot be told apart safely; another server or folder is needed",
            )
        return selected

    async def _examine(self, folder: str) -> Selected:
        _, lines = await self._open("EXAMINE", folder)
        return selected_from(lines)

    async def select(self, folder: str) -> Writable:
        """Open a folder with leave to change it, as far as the server gives it."""
        answer, lines = await self._open("SELECT", folder)
        return writable_from(lines, answer.words)

    async def _open(self, command: str, folder: str) -> tuple[Answer, list[bytes]]:
        lines: list[bytes] = []
        counted = False

        def collect(parts: Parts) -> bool:
            nonlocal counted
            if len(lines) < MAX_TOLD:
                lines.append(parts[0][:MAX_TOLD_LINE])
            # A second EXISTS is news: a mail that came while the folder was being opened, behind the UIDNEXT told.
            before, counted = counted, counted or is_exists(parts)
            return not (before and is_exists(parts))

        answer = await self.command(command, _folder(folder), collect=collect)
        if answer.result != "OK":
            raise _folder_refused(command, folder, answer)
        # The library leaves the state alone after EXAMINE, and refuses UID commands then.
        self._protocol.state = aioimaplib.SELECTED
        return answer, lines

    async def _uidnext(self, folder: str) -> int:
        told = 0

        def collect(parts: Parts) -> bool:
            nonlocal told
            if not parts[0].upper().startswith(b"* STATUS "):
                return False
            told = uidnext_from_status(parts[-1])
            return True

        answer = await self.command("STATUS", _folder(folder), "(UIDNEXT)", collect=collect)
        return told if answer.result == "OK" else 0

    async def fetch(self, uids: Sequence[int], items: str, take: Callable[[Parts], None]) -> None:
        """Fetch items of these UIDs; each response goes to `take` as it comes, so that nothing piles up."""

        def collect(parts: Parts) -> bool:
            if not is_fetch(parts):
                return False
            take(parts)
            return True

        answer = await self.command("FETCH", uid_set.as_text(uids), items, collect=collect, prefix="UID")
        # RFC 5530: messages that are gone by now; the others were sent.
        if answer.result != "OK" and response_code(answer.words) != "EXPUNGEISSUED":
            raise refused("UID FETCH", answer)

    async def search(self, first: int, last: int, *criteria: str) -> list[int]:
        """The UIDs that exist from `first` to `last` and meet the search keys (RFC 9051 section 6.4.4).

        ESEARCH (RFC 4731) where the server has it: shorter answers.
        """
        return await self._search(f"{first}:{last}", last - first + 1, *criteria)

    async def existing(self, uids: Sequence[int]) -> list[int]:
        """Which of these UIDs exist; ascending UIDs are expected."""
        found: list[int] = []
        for at in range(0, len(uids), UIDS_IN_A_SEARCH):
            asked = uids[at : at + UIDS_IN_A_SEARCH]
            there = await self._search(uid_set.as_text(asked), len(asked))
            found.extend(uid for uid in there if uid in frozenset(asked))
        return found

    async def _search(self, uids: str, most: int, *criteria: str) -> list[int]:
        extended = "ESEARCH" in self._protocol.capabilities
        found: list[int] = []

        def collect(parts: Parts) -> bool:
            word = parts[0][2:10].upper()
            if word.startswith(b"SEARCH"):
                found.extend(uid_set.uids_of(parse_values(parts, start=8)))
            elif word.startswith(b"ESEARCH"):
                values = parse_values(parts, start=9)
                sets = [values[at + 1] for at, value in enumerate(values[:-1]) if value == b"ALL"]
                for one in sets:
                    found.extend(
                        uid_set.from_text(one if isinstance(one, bytes) else b"", min(most, MAX_FOUND))
                    )
            else:
                return False
            if len(found) > MAX_FOUND:
                raise GrammarError(f"more than {MAX_FOUND} UIDs were found")
            return True

        arguments = ("RETURN", "(ALL)") if extended else ()
        await self.expect_ok("SEARCH", *arguments, "UID", uids, *criteria, collect=collect, prefix="UID")
        return found

    async def folders(self) -> list[str]:
        """The names of all folders, as people read them."""
        names: list[str] = []

        def collect(parts: Parts) -> bool:
            if not parts[0].upper().startswith(b"* LIST "):
                return False
            with suppress(GrammarError):  # a name that cannot be read cannot be one that somebody wrote
                name = parse_values(parts, start=7)[-1]
                room = len(names) < MAX_LISTED_FOLDERS
                if room and isinstance(name, bytes) and len(name) <= MAX_FOLDER_NAME:
                    names.append(folder_name.decode(name))
            return True

        await self.expect_ok("LIST", '""', '"*"', collect=collect)
        return names

    async def idle(self, seconds: float) -> bool:
        """Wait for news for so many seconds; whether there were any. News since `examine` count at once."""
        news = self._protocol.news
        if news.is_set():
            return True
        if not await self._begin_idle():
            return await self.wait(seconds)
        told = await self.wait(seconds)
        await self._end_idle()
        return told or news.is_set()

    async def wait(self, seconds: float) -> bool:
        """Wait for so many seconds, or until news come. Raises MailServerError as soon as the connection is
        lost.
        """
        news = asyncio.ensure_future(self._protocol.news.wait())
        try:
            either: set[asyncio.Future[Any]] = {news, self._protocol.dead}
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        if self._protocol.dead.done():
            raise self._protocol.dead.result()
        return self._protocol.news.is_set()

    async def stay(self, seconds: float) -> None:
        """Wait for so many seconds, whatever news come. Raises MailServerError as soon as the connection is lost."""
        await asyncio.wait({self._protocol.dead}, timeout=seconds)
        if self._protocol.dead.done():
            raise self._protocol.dead.result()

    async def _begin_idle(self) -> bool:
        self._check_alive()
        self._protocol.collect = None
        self._busy = True
        idle = asyncio.ensure_future(self._protocol.idle())
        ready = asyncio.ensure_future(self._protocol.wait_for_idle_response())
        try:
            await self.bounded(asyncio.wait({idle, ready}, return_when=asyncio.FIRST_COMPLETED), "IDLE")
        except BaseException:
            idle.cancel()
            raise
        finally:
            ready.cancel()
        if idle.done():
            await self.bounded(idle, "IDLE")
            self._busy, self._idle_refused = False, True
            return False
        self._busy, self._idle = False, idle
        return True

    async def _end_idle(self) -> None:
        self._check_alive()
        idle, self._idle = self._idle, None
        if idle is None:
            return
        self._busy = True
        # A server that has ended IDLE by itself would take DONE for a command that it does not know.
        if not idle.done():
            self._protocol.idle_done()
        await self.bounded(idle, "DONE")
        self._busy = False

    def _check_alive(self) -> None:
        """Raises MailServerError where the connection is over: uvloop refuses to write to it, and does not say why."""
        if (over := self._protocol.over) is not None:
            raise over

    async def bounded(self, work: Coroutine[Any, Any, T] | asyncio.Task[T], what: str) -> T:
        """Wait for the work, for the timeout, or for the end of the connection, whichever comes first."""
        task: asyncio.Task[T] = asyncio.ensure_future(work)
        dead = self._protocol.dead
        either: set[asyncio.Future[Any]] = {task, dead}
        try:
            await asyncio.wait(either, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                self.abort(
                    MailServerError(Kind.TIMED_OUT, f"no answer to {what} within {self._timeout:g} seconds")
                )
        if task.done() and not task.cancelled():
            try:
                return task.result()
            except aioimaplib.AioImapException as error:
                raise MailServerError(Kind.PROTOCOL, f"{what}: {type(error).__name__}") from error
        if dead.done():
            raise dead.result()
        raise MailServerError(
            Kind.TIMED_OUT,
            f"no answer to {what} within {self._timeout:g} seconds",
            hint="the server or the way to it hangs; the next try is made on a new connection",
        )

    def abort(self, reason: MailServerError) -> None:
        """Cut the connection at once."""
        self._busy = True
        self._protocol.end(reason)

    async def close(self) -> None:
        """Say goodbye where that is possible at once, then cut. Never raises, but for cancellation."""
        try:
            if not self._busy and not self._protocol.dead.done():
                # A goodbye that fails, however it does, must not hide why the connection is closed.
                with suppress(Exception):
                    async with asyncio.timeout(LOGOUT_SECONDS):
                        await self._end_idle()
                        await self.command("LOGOUT")
        finally:
            if self._idle is not None:
                self._idle.cancel()
            self.abort(MailServerError(Kind.LOST, "the bridge closed the connection"))


def refused(name: str, answer: Answer) -> MailServerError:
    """What a NO or BAD to a command means that every server knows."""
    said = f"the server refuses {name}: {answer.result} {shown(answer.words)}"
    return puts_off(answer.words, said) or MailServerError(
        Kind.REFUSED, said, hint="the server's own log tells more"
    )


def _folder(name: str) -> str:
    return quoted(folder_name.encode(name))


def _folder_refused(command: str, folder: str, answer: Answer) -> MailServerError:
    said = f"the server refuses {command}: {answer.result} {shown(answer.words)}"
    return puts_off(answer.words, said) or MailServerError(
        Kind.FOLDER_MISSING,
        f"folder {folder!r} cannot be opened: {shown(answer.words)}",
        hint="check its name and the account's rights; `acd-bridge check --online` shows near names",
    )
