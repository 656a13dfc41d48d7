"""Why there is no access token: three states, since an operator does something different about each."""

from enum import StrEnum

from bridge.errors import BridgeError


class State(StrEnum):
    """What kind of failure it is."""

    TRANSIENT = "transient"  #: the network or the token server failed; it comes back by itself
    THROTTLED = "throttled"  #: the token server asks to come later
    REFUSED = "refused"  #: the grant is revoked or expired, or the configuration is wrong


class TokenFailure(BridgeError):  # noqa: N818 - it says what happened, as the failures of the rooms above do
    """There is no access token. `wait` is the pause in seconds that the token server asked for, or 0."""

    def __init__(self, state: State, message: str, *, hint: str = "", wait: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.state = state
        self.wait = wait
