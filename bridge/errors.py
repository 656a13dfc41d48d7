"""What can go wrong, as one tree.

    BridgeError                 says what happened, and in `hint` what to do now
    ├── ConfigError             the configuration file; exit code 78
    ├── StateFileError          the state file (bridge.ledger)
    ├── AcdError                an answer of the ACD, or its absence (bridge.acd)
    ├── ImapError               a mail server (bridge.intake.imap)
    └── MessageError            one message only; it is quarantined and the next one goes on

A room may define finer classes below these; nothing outside this tree is raised on purpose.
"""

from dataclasses import dataclass


class BridgeError(Exception):
    """Something that the bridge knows how to explain. `hint` tells the operator what to do now."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration: where it is, what is wrong, what to do."""

    key: str
    """The key's path as in the file, such as `mailbox[support].port` or `route[billing].event.subject`."""
    what: str
    hint: str = ""
    unreachable: bool = False
    """Whether a server could not be asked, so that nothing is known about the configuration."""

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" + (f" -- {self.hint}" if self.hint else "")


class ConfigError(BridgeError):
    """The configuration cannot be used. It carries every problem at once."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        words = "problem" if len(problems) == 1 else "problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{file}: {len(problems)} {words} in the configuration{lines}")
        self.file = file
        self.problems = problems


class StateFileError(BridgeError):
    """The state file cannot be read or written."""


class IntakePausedError(StateFileError):
    """Nothing is taken in for a while: too much waits already, or the disk is nearly full."""


class StateFileGoneError(StateFileError):
    """The state file was removed or replaced while the service works on it; it cannot go on."""


class AcdError(BridgeError):
    """The ACD did not do what it was asked."""


class ImapError(BridgeError):
    """A mail server did not do what it was asked, or went away."""


class MessageError(BridgeError):
    """This one message cannot be turned into an event."""
