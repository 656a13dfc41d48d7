"""Faults: what the simulated ACD does wrong on purpose, where, and how often."""

from collections.abc import Mapping
from enum import StrEnum
from random import Random
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_FAULTS: Final = 1000
MAX_SECONDS: Final = 3600.0


class Kind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"  #: it takes `seconds` longer
    STATUS = "status"  #: it answers `status` with the `body` in place of the real answer
    DROP = "drop"  #: it drops the connection
    HALF = "half"  #: it sends the first half of its answer, then drops the connection


class Stage(StrEnum):
    """When in a request's life it goes wrong."""

    BEFORE_READING = "before-reading"
    AFTER_READING = "after-reading"
    AFTER_DOING = "after-doing"  #: the event was created, or the campaign deleted


BODIES: Final[Mapping[str, tuple[str, bytes]]] = {
    "json": ("application/json", b'{"status":%d,"error":"simulated fault"}'),
    "html": ("text/html", b"<html><head><title>Simulated fault</title></head><body>%d</body></html>"),
    "empty": ("text/plain", b""),
    "nonsense": ("application/json", b'{"records":[{"ID":'),
}
"""Bodies of the kind `status`, with their types; the number is the status."""


class Fault(BaseModel):
    """One fault. It lasts `count` requests, or until it is removed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Kind
    when: Stage = Stage.AFTER_READING
    """Of every kind but `half`."""
    method: str | None = None
    """Only requests of this method."""
    path: str | None = None
    """Only requests of this path below the base URL, such as `/acd/events/create`."""
    count: int | None = Field(None, ge=1)
    probability: float = Field(1.0, ge=0, le=1)
    status: int = Field(503, ge=200, le=599)
    """Of the kind `status`."""
    retry_after: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern="^[ -~]*$")] | None = None
    """The Retry-After header of the kind `status`: seconds, or an HTTP-date."""
    body: Literal["json", "html", "empty", "nonsense"] = "json"
    """Of the kind `status`."""
    seconds: float = Field(0.0, ge=0, le=MAX_SECONDS)
    """Of the kind `latency`."""

    def answer(self) -> tuple[int, str, bytes]:
        """Status, content type and body of the kind `status`."""
        content_type, body = BODIES[self.body]
        return self.status, content_type, body % self.status if b"%d" in body else body


class Faults:
    """The faults that are switched on."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - repeatable dice, no secret
        self._on: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._on)

    def add(self, *faults: Fault) -> None:
        """Switch these on. Raises ValueError where there are too many."""
        if len(self._on) + len(faults) > MAX_FAULTS:
            raise ValueError(f"there can be at most {MAX_FAULTS} faults")
        self._on += [fault.model_copy() for fault in faults]

    def clear(self) -> None:
        """Switch all off."""
        self._on.clear()

    def all(self) -> list[dict[str, Any]]:
        """Those that are on, with what is left of their counts."""
        return [fault.model_dump(mode="json") for fault in self._on]

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults that this request meets; each that it meets is counted."""
        met = [fault for fault in self._on if self._meets(fault, method, path)]
        for fault in met:
            if fault.count is not None:
                fault.count -= 1
        self._on = [fault for fault in self._on if fault.count is None or fault.count > 0]
        return met

    def _meets(self, fault: Fault, method: str, path: str) -> bool:
        if fault.method not in {None, method} or fault.path not in {None, path}:
            return False
        return fault.probability >= 1 or self._random.random() < fault.probability


class FaultOrder(BaseModel):
    """What `POST /_sim/faults` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    faults: list[Fault] = Field(max_length=MAX_FAULTS)
