"""The tables of mailboxes: an IMAP account, and what happens to its mails after delivery."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from bridge.config.duration import Seconds
from bridge.config.oauth import OAuth
from bridge.config.secret import Secret
from bridge.config.start import Start
from bridge.config.values import HostName, Table

NAME_FORM = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$"
KEYWORD_FORM = r"^[A-Za-z0-9$_.-]{1,64}$"
"""Signs that every server takes in a keyword (RFC 9051 section 9: an atom)."""
ACD_OWN_FOLDERS = "JTEL_"
"""The ACD's own mail pick-up works in folders of this prefix; they are never watched and never a target."""


def folder_identity(name: str) -> str:
    """What is the same for all names of one folder: INBOX may be written in any case (RFC 9051 section 5.1)."""
    return "INBOX" if name.upper() == "INBOX" else name


class AfterDelivery(Table):
    """What happens to a mail once its event is settled, or Done."""

    action: Literal["none", "keyword", "seen", "move", "delete"] = Field(
        "none",
        description="`none`: the mail stays as it is; `keyword`: it gets the flag `keyword`; `seen`: it is "
        "marked as read; `move`: it goes to `folder`; `delete`: it is removed for good.",
    )
    keyword: str | None = Field(
        None,
        pattern=KEYWORD_FORM,
        description="The flag for `keyword`, such as `ACD`; mail programs show it as a tag.",
    )
    folder: str | None = Field(
        None, min_length=1, max_length=500, description="The folder for `move`. It must exist."
    )
    when: Literal["settled", "done"] = Field(
        "settled",
        description="`settled`: once the ACD has the event; `done`: once the event is Done there, which needs a route "
        "with `follow_up = true`. A mail whose event ends otherwise stays as it is.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for action, key, value in (("keyword", "keyword", self.keyword), ("move", "folder", self.folder)):
            if (self.action == action) != (value is not None):
                verb = "needs" if self.action == action else "is the only one with"
                raise ValueError(f'action = "{action}" {verb} {key}')
        if self.folder is not None and ACD_OWN_FOLDERS in self.folder.upper():
            raise ValueError(
                f"folder {self.folder!r} belongs to the ACD's own mail pick-up and must not be a target"
            )
        return self


class Mailbox(Table):
    """An IMAP account whose folders are watched."""

    name: str = Field(pattern=NAME_FORM, description="The mailbox's name in routes, logs and commands.")
    host: HostName = Field(min_length=1, description="The IMAP server.")
    port: int | None = Field(
        None, ge=1, le=65535, description="Its port; 993 with `tls`, else 143 where it is not given."
    )
    security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="`tls`, `starttls`, or `none` (only for servers on this machine or a trusted net)."
    )
    ca_file: Annotated[Path, Field(strict=False)] | None = Field(
        None, description="Certificates (PEM) to trust besides the system's."
    )
    username: str = Field(min_length=1, description="The account's user name.")
    oauth: OAuth | None = Field(None, description="Sign-in with OAuth 2.0, in place of `password`.")
    password: Secret | None = Field(
        None, validate_default=True, description="The account's password; either it or `oauth` is given."
    )
    folders: tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] = Field(
        ("INBOX",), min_length=1, strict=False, description="The folders to watch."
    )
    start: Start = Field(
        "now",
        description="At the first start of a folder: `now` posts nothing old; `all` posts what is there, `unseen` "
        "what nobody has read by then, a date (`2026-11-01`) what came since that day began in UTC.",
    )
    poll: Seconds = Field(
        60.0, ge=1, le=3600, description="Seconds between two looks at each folder, besides IDLE."
    )
    idle_slice: Seconds = Field(
        540.0,
        ge=5,
        le=1740,
        description="Seconds after which IDLE is begun anew (RFC 2177: at most 29 minutes).",
    )
    timeout: Seconds = Field(60.0, ge=1, le=600, description="Seconds for one IMAP command.")
    one_event_for: Literal["folder", "mailbox", "everywhere"] = Field(
        "folder",
        description="Where copies of a mail share one event: `folder`: each folder has its own; `mailbox`: one for all "
        "folders of this mailbox, also where a mail is moved from one to another; `everywhere`: one for all mailboxes "
        "with this word. Copies have the same Message-ID, date, sender and subject.",
    )
    after_delivery: AfterDelivery = Field(
        default_factory=AfterDelivery, description="What happens to a mail once its event is settled."
    )

    @field_validator("password")
    @classmethod
    def _either_password_or_oauth(cls, password: Secret | None, info: ValidationInfo) -> Secret | None:
        oauth = info.data.get("oauth", "wrong in itself")
        if password is None and oauth is None:
            raise PydanticCustomError("missing", "either password or oauth")
        if password is not None and isinstance(oauth, OAuth):
            raise ValueError("is given beside oauth; keep one of them")
        return password

    @model_validator(mode="after")
    def _keep_off_the_acds_folders(self) -> Self:
        for folder in self.folders:
            if ACD_OWN_FOLDERS in folder.upper():
                raise ValueError(
                    f"folder {folder!r} belongs to the ACD's own mail pick-up and must not be watched"
                )
        watched = {folder_identity(folder) for folder in self.folders}
        if len(watched) != len(self.folders):
            raise ValueError("a folder is named twice")
        if self.after_delivery.folder is not None and folder_identity(self.after_delivery.folder) in watched:
            raise ValueError(
                f"folder {self.after_delivery.folder!r} is watched and must not be the target of after_delivery"
            )
        return self

    def actual_port(self) -> int:
        """The port to connect to."""
        return self.port or (993 if self.security == "tls" else 143)
