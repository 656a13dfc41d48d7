"""A refusal: a status and the words that the ACD puts beside it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not done. `error` None means an empty body: there is no such endpoint."""

    status: int
    error: str | None


NO_ENDPOINT = Refusal(404, None)
UNAUTHORISED = Refusal(401, "Unauthorized")
