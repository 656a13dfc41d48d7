"""What a reading call raises: one class for each thing that an operator does something different about."""

from bridge.acd.answer import Answer, Meaning
from bridge.acd.words import is_html
from bridge.errors import AcdError
from bridge.reason import Reason


class AcdFailure(AcdError):  # noqa: N818 - the names say what happened, as those of the answers do
    """The ACD did not answer a call as asked. `status`, `words` and `reason` are those of its answer."""

    def __init__(self, message: str, *, answer: Answer, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status: int | None = answer.status
        self.words: str = answer.words
        self.reason: Reason = answer.reason
        self.retry_after: float | None = answer.retry_after


class AcdUnreachable(AcdFailure):
    """No connection: refused, DNS, TLS, or no time left. The request surely did not leave."""


class AcdConnectionLost(AcdFailure):
    """The connection broke, or no answer came in time, after the request had left."""


class AcdUnauthorised(AcdFailure):
    """401 or 403: token or ClientsID is wrong."""


class AcdWrongAddress(AcdFailure):
    """What answers is not the ACD's API: 404 without JSON, a redirect, a proxy's page."""


class AcdNotFound(AcdFailure):
    """404 with JSON: the ACD knows no such object."""


class AcdConflict(AcdFailure):
    """409: the object exists already, or another precondition is not met."""


class AcdRefused(AcdFailure):
    """400 and its kind: the ACD does not accept this request."""


class AcdLater(AcdFailure):
    """408, 425, 429, 5xx: the ACD cannot now."""


class AcdUnreadable(AcdFailure):
    """The answer says success but cannot be read."""


class UnknownName(AcdError):  # noqa: N818 - the name says what happened
    """The ACD has no event type or group of this name. `near` are names that look like it."""

    def __init__(self, kind: str, name: str, near: list[str]) -> None:
        meant = f"did you mean {', '.join(repr(other) for other in near)}?" if near else ""
        super().__init__(
            f"the ACD has no {kind} named {name!r}",
            hint=meant or f"`acd-bridge acd {_LISTED[kind]}` lists the names",
        )
        self.kind = kind
        self.name = name
        self.near = near
        self.reason = Reason.UNKNOWN_NAME


class AmbiguousName(AcdError):  # noqa: N818 - the name says what happened
    """Several groups of the ACD have exactly this name, so that only an ID can tell them apart."""

    def __init__(self, kind: str, name: str, ids: list[int]) -> None:
        listed = ", ".join(str(one) for one in ids[:10])
        super().__init__(
            f"the ACD has {len(ids)} {kind}s named {name!r}: {listed}", hint="write the ID instead"
        )
        self.kind = kind
        self.name = name
        self.reason = Reason.UNKNOWN_NAME


_LISTED = {"event type": "types", "group": "groups"}
_PROXY_HINT = "this is probably a proxy; acd.url must lead to the ACD's API itself"
_CLASSES: dict[Meaning, type[AcdFailure]] = {
    Meaning.REFUSED: AcdRefused,
    Meaning.UNAUTHORISED: AcdUnauthorised,
    Meaning.WRONG_ADDRESS: AcdWrongAddress,
    Meaning.LATER: AcdLater,
    Meaning.NOT_SENT: AcdUnreachable,
    Meaning.UNCERTAIN: AcdConnectionLost,
}
_HINTS: dict[Meaning, str] = {
    Meaning.UNAUTHORISED: "check acd.token and acd.clients_id; a new token ends the old one at once",
    Meaning.WRONG_ADDRESS: "check acd.url and acd.clients_id, and acd.paths for the paths that were assumed",
    Meaning.REFUSED: "the request is not as this ACD wants it; its words say more",
    Meaning.LATER: "try again later; look at the ACD where it stays so",
}


_HINTS_OF_CLASS: dict[type[AcdFailure], str] = {
    AcdNotFound: "check the ID or name",
    AcdConflict: "choose another name, or look at what is there already",
}


def failure_of(answer: Answer, *, call: str, body: bytes = b"", hint: str = "") -> AcdFailure:
    """The error for an answer that is no success; `call` is what was asked, such as `GET /acd/groups`."""
    status = f"HTTP {answer.status}: " if answer.status is not None else ""
    page_hint = _PROXY_HINT if is_html(body) and answer.meaning is not Meaning.UNAUTHORISED else ""
    kind = _class_of(answer)
    known = _HINTS_OF_CLASS.get(kind) or _HINTS.get(answer.meaning, "")
    return kind(f"{call}: {status}{answer.words}", answer=answer, hint=hint or page_hint or known)


def unreadable(call: str, problem: str, *, status: int | None = None, body: bytes = b"") -> AcdUnreadable:
    """The error for a success that cannot be read, because of `problem`."""
    answer = Answer(meaning=Meaning.UNCERTAIN, reason=Reason.ANSWER_UNREADABLE, status=status, words=problem)
    hint = (
        _PROXY_HINT
        if is_html(body)
        else "the answer is not as documented; check acd.url and the ACD's release"
    )
    return AcdUnreadable(f"{call}: {problem}", answer=answer, hint=hint)


def _class_of(answer: Answer) -> type[AcdFailure]:
    if answer.status == 404 and answer.meaning is Meaning.REFUSED:
        return AcdNotFound
    if answer.status == 409:
        return AcdConflict
    return _CLASSES[answer.meaning]
