"""An IMAP server in the simulated network: as much of RFC 9051 as the bridge speaks, and its bad days.

Everything is answered at once and in order; delays, cuts and silence are the network's.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.simulation.loop import SimLoop
from tests.simulation.mail_folders import Folder, Mail

CAPABILITIES = ("IMAP4rev1", "ID", "IDLE", "UIDPLUS", "MOVE", "ESEARCH")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WORDS = re.compile(r'"[^"]*"|\S+')
OPENED = re.compile(r'^(?:"(?P<quoted>[^"]*)"|(?P<bare>\S+))')


class MailServer:
    """One account with two folders."""

    def __init__(self, loop: SimLoop, capabilities: Sequence[str] = CAPABILITIES) -> None:
        self.capabilities = tuple(capabilities)
        self.folders: dict[str, Folder] = {"INBOX": Folder("INBOX"), "Done": Folder("Done")}
        self.busy = False
        """Sign-ins and commands are answered that it cannot now."""
        self.deafness = 0.0
        """Probability that a connection is told of nothing while it idles."""
        self.port = 0
        self._loop = loop
        self._sessions: set[Session] = set()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        server = await self._loop.create_server(self._session, port=self.port)
        self.port = server.port

    def renumber(self, name: str) -> None:
        """All UIDs of a folder lose their meaning; who has it open is sent away."""
        self.folders[name].renumber()
        for session in list(self._sessions):
            session.send_away()

    def _session(self) -> "Session":
        session = Session(self, deaf=self._loop.random.random() < self.deafness)
        self._sessions.add(session)
        return session

    def forget(self, session: "Session") -> None:
        """A connection is over."""
        self._sessions.discard(session)


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: MailServer, *, deaf: bool) -> None:
        self._server = server
        self._deaf = deaf
        self._received = b""
        self._folder: Folder | None = None
        self._read_only = True
        self._idling = b""
        """The tag of the IDLE that is going on."""
        self._news = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._say("* OK ready")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why makes no difference here
        self._close_folder()
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n")) >= 0:
            line, self._received = self._received[:end], self._received[end + 2 :]
            self._line(line)

    def send_away(self) -> None:
        """The folder is another one by now."""
        self._say("* BYE the folder was rebuilt")
        self._transport.close()

    def _say(self, *lines: str) -> None:
        self._transport.write("".join(f"{line}\r\n" for line in lines).encode())

    def _line(self, line: bytes) -> None:
        if self._idling:
            if line.upper() == b"DONE":
                tag, self._idling = self._idling, b""
                self._say(f"{tag.decode()} OK IDLE")
            return
        self._command(*line.decode().partition(" ")[::2])

    def _command(self, tag: str, rest: str) -> None:
        name, _, arguments = rest.partition(" ")
        if name.upper() == "UID":
            second, _, arguments = arguments.partition(" ")
            name = f"UID {second}"
        answer = self._answer(tag, name.upper(), arguments)
        if answer is not None:
            self._tell_news()
            self._say(f"{tag} {answer}")

    def _answer(self, tag: str, name: str, arguments: str) -> str | None:
        """Do it; the tagged answer, None where it comes later."""
        if self._server.busy and name not in {"CAPABILITY", "LOGOUT"}:
            return "NO [UNAVAILABLE] come again later"
        plain: dict[str, Callable[[str], str]] = {
            "CAPABILITY": self._capability,
            "LOGIN": lambda _: "OK signed in",
            "ID": lambda _: "OK ID",
            "NOOP": lambda _: "OK NOOP",
            "EXAMINE": lambda text: self._open(text, read_only=True),
            "SELECT": lambda text: self._open(text, read_only=False),
            "UID SEARCH": self._search,
            "UID FETCH": self._fetch,
            "UID STORE": self._store,
            "UID COPY": self._copy,
            "UID MOVE": self._move,
            "UID EXPUNGE": self._expunge,
        }
        if name == "IDLE":
            self._idling = tag.encode()
            self._say("+ idling")
            self._tell_news()
            return None
        if name == "LOGOUT":
            self._say("* BYE", f"{tag} OK LOGOUT")
            self._transport.close()
            return None
        return plain[name](arguments) if name in plain else "BAD unknown command"

    def _capability(self, _: str) -> str:
        self._say(f"* CAPABILITY {' '.join(self._server.capabilities)}")
        return "OK CAPABILITY"

    def _open(self, text: str, *, read_only: bool) -> str:
        self._close_folder()
        folder = self._named(text)
        if folder is None:
            return "NO [NONEXISTENT] there is no such folder"
        self._folder, self._read_only, self._news = folder, read_only, False
        folder.told.append(self._mail_came)
        self._say(
            f"* {len(folder.mails)} EXISTS",
            f"* OK [UIDVALIDITY {folder.uidvalidity}] it is",
            f"* OK [UIDNEXT {folder.uidnext}] it is",
            "* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] they are",
        )
        return f"OK [READ-{'ONLY' if read_only else 'WRITE'}] it is open"

    def _named(self, text: str) -> Folder | None:
        found = OPENED.match(text.strip())
        return self._server.folders.get((found["quoted"] or found["bare"]) if found else "")

    def _close_folder(self) -> None:
        if self._folder is not None:
            self._folder.told.remove(self._mail_came)
            self._folder = None

    def _mail_came(self) -> None:
        self._news = True
        if self._idling and not self._deaf:
            self._tell_news()

    def _tell_news(self) -> None:
        if self._news and self._folder is not None:
            self._news = False
            self._say(f"* {len(self._folder.mails)} EXISTS")

    @property
    def _mails(self) -> dict[int, Mail]:
        return {} if self._folder is None else self._folder.mails

    def _those(self, text: str) -> list[int]:
        """The UIDs of a sequence-set that exist; others are passed over (RFC 9051 section 6.4.9)."""
        wanted: set[int] = set()
        there = list(self._mails)
        for part in text.split(","):
            first, _, last = part.partition(":")
            low, high = sorted((_number(first, there), _number(last or first, there)))
            wanted.update(uid for uid in there if low <= uid <= high)
        return sorted(wanted)

    def _search(self, text: str) -> str:
        extended = text.startswith("RETURN (ALL) ")
        words = iter(WORDS.findall(text.removeprefix("RETURN (ALL) ")))
        uids = list(self._mails)
        for word in words:
            uids = self._meeting(uids, word.upper(), words)
        numbers = [str(uid) for uid in uids]
        if extended:
            self._say('* ESEARCH (TAG "x") UID' + (f" ALL {','.join(numbers)}" if numbers else ""))
        else:
            self._say(" ".join(["* SEARCH", *numbers]))
        return "OK SEARCH"

    def _meeting(self, uids: list[int], key: str, words: Iterator[str]) -> list[int]:
        """Those that meet one search key (RFC 9051 section 6.4.4), of the keys that the bridge uses."""
        mails = self._mails
        match key:
            case "UID":
                wanted = set(self._those(next(words)))
                return [uid for uid in uids if uid in wanted]
            case "UNSEEN":
                return [uid for uid in uids if "\\Seen" not in mails[uid].flags]
            case "LARGER" | "SMALLER":
                bound, sign = int(next(words)), 1 if key == "LARGER" else -1
                return [uid for uid in uids if (len(mails[uid].raw) - bound) * sign > 0]
            case "HEADER":
                line = f"{next(words)}: {next(words).strip(chr(34))}".lower().encode()
                return [uid for uid in uids if line in mails[uid].header.lower()]
        raise ValueError(f"the model knows no search key {key}")

    def _fetch(self, text: str) -> str:
        uids, _, items = text.partition(" ")
        for uid in self._those(uids):
            assert self._folder is not None
            head = f"* {self._folder.place_of(uid)} FETCH (".encode()
            self._transport.write(head + b" ".join(_told(uid, self._mails[uid], items)) + b")\r\n")
        return "OK FETCH"

    def _store(self, text: str) -> str:
        uids, _, flags = text.split(" ", 2)
        if self._read_only:
            return "NO it can only be read"
        for uid in self._those(uids):
            self._mails[uid].flags.update(flags.strip("()").split())
        return "OK STORE"

    def _copy(self, text: str) -> str:
        uids, _, name = text.partition(" ")
        target = self._named(name)
        if target is None:
            return "NO [TRYCREATE] there is no such folder"
        for uid in self._those(uids):
            mail = self._mails[uid]
            target.add(Mail(mail.label, mail.raw, mail.came, set(mail.flags)))
        return "OK COPY"

    def _move(self, text: str) -> str:
        uids, _, name = text.partition(" ")
        target = self._named(name)
        if target is None:
            return "NO [TRYCREATE] there is no such folder"
        for uid in self._those(uids):
            target.add(self._mails.pop(uid))
        return "OK MOVE"

    def _expunge(self, text: str) -> str:
        for uid in self._those(text):
            if "\\Deleted" in self._mails[uid].flags:
                del self._mails[uid]
        return "OK EXPUNGE"


def _number(text: str, there: Sequence[int]) -> int:
    return max(there, default=0) if text == "*" else int(text)


def _told(uid: int, mail: Mail, items: str) -> Iterator[bytes]:
    """The items of a FETCH response that were asked for."""
    yield b"UID %d" % uid
    if "RFC822.SIZE" in items:
        yield b"RFC822.SIZE %d" % len(mail.raw)
    if "INTERNALDATE" in items:
        came = datetime.fromtimestamp(mail.came, UTC)
        yield f'INTERNALDATE "{came.day:02}-{MONTHS[came.month - 1]}-{came:%Y %H:%M:%S} +0000"'.encode()
    if "BODY.PEEK[HEADER]" in items:
        yield b"BODY[HEADER]<0> {%d}\r\n%s" % (len(mail.header), mail.header)
    if "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]" in items:
        lines = mail.header.splitlines(keepends=True)
        fields = b"".join(line for line in lines if line.lower().startswith(b"message-id:")) + b"\r\n"
        yield b"BODY[HEADER.FIELDS (MESSAGE-ID)]<0> {%d}\r\n%s" % (len(fields), fields)
