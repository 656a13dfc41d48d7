"""What is told to systemd, and what is not."""

from bridge.service.notify import STATUS_CHARACTERS, Notifier, _socket_address, _status_line


def test_without_a_service_manager_nothing_happens() -> None:
    """Without $NOTIFY_SOCKET every call is a no-op."""
    notifier = Notifier.from_environment({})
    assert not notifier.listening
    notifier.ready("x")
    notifier.stopping()
    notifier.status("x")
    notifier.watchdog()


def test_addresses() -> None:
    """A path stays, `@` is the abstract namespace, and what is unknown (vsock) is nobody."""
    assert _socket_address("/run/systemd/notify") == "/run/systemd/notify"
    assert _socket_address("@abc") == "\0abc"
    assert _socket_address("vsock:2:1234") is None


def test_a_status_is_one_short_line() -> None:
    """A line end in a status cannot become another field of the protocol, nor can it be long."""
    assert _status_line("1/1 mailboxes\nREADY=1\x00 \ud800 x") == ("STATUS=1/1 mailboxes READY=1 x",)
    assert len(_status_line("x" * 10_000)[0]) == STATUS_CHARACTERS + len("STATUS=")
    assert _status_line(" \n ") == ()
