"""The embedded mail server where its library is missing."""

import pytest

from bridge.errors import BridgeError
from bridge.testing import mail_server


async def test_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pymap the error says what to install."""
    monkeypatch.setattr(mail_server, "MISSING", True)
    with pytest.raises(BridgeError) as caught:
        await mail_server.MailServer.start(["anna"])
    assert "'.[demo]'" in caught.value.hint
