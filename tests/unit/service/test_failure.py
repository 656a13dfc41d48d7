"""An exception in the log tells where and what, and not what a mail says."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from bridge.errors import BridgeError
from bridge.service.failure import MAX_EXCEPTIONS, MAX_FRAMES, describe_failure, failure_text


def raised(do: Callable[[], Any]) -> BaseException:
    try:
        do()
    except BaseException as error:  # noqa: BLE001 -- any exception is what is wanted here
        return error
    raise AssertionError("nothing was raised")


def throw(error: BaseException, cause: BaseException | None = None) -> Callable[[], None]:
    def do() -> None:
        raise error from cause

    return do


@pytest.mark.parametrize(
    "error",
    [
        ValueError("private text"),
        KeyError("private text"),
        UnicodeDecodeError("ascii", b"x", 0, 1, "private text"),
    ],
)
def test_exceptions_that_quote_values_show_only_their_type(error: Exception) -> None:
    """A ValueError or KeyError may quote a mail; its words are left out, its type and place stay."""
    text = failure_text(raised(throw(error)))
    assert text.startswith(type(error).__name__ + "\n")
    assert "private text" not in text
    assert "test_failure.py:" in text


@pytest.mark.parametrize(
    "error", [BridgeError("what", hint="do this"), OSError("what"), TypeError("what"), RuntimeError("what")]
)
def test_other_exceptions_keep_their_words(error: Exception) -> None:
    """The words of the operating system, the language and the bridge itself are shown."""
    assert failure_text(raised(throw(error))).startswith(f"{type(error).__name__}: what")


def test_causes_follow() -> None:
    """What an exception came from is told after it, cause before context."""
    text = failure_text(raised(throw(RuntimeError("late"), raised(throw(OSError("first"))))))
    assert text.index("RuntimeError: late") < text.index("caused by: OSError: first")


def test_contexts_follow_unless_suppressed() -> None:
    """An exception raised while another is handled tells of it, `from None` does not."""

    def while_handling(*, suppress: bool) -> None:
        try:
            throw(OSError("first"))()
        except OSError:
            if suppress:
                raise RuntimeError("late") from None
            raise RuntimeError("late")  # noqa: B904 -- the implicit context is what is tested

    assert "while handling: OSError: first" in failure_text(raised(lambda: while_handling(suppress=False)))
    assert "first" not in failure_text(raised(lambda: while_handling(suppress=True)))


def test_groups_tell_their_members() -> None:
    """What a TaskGroup collected is told, one by one."""
    group = ExceptionGroup("two", [OSError("a"), ValueError("private")])
    text = failure_text(raised(throw(group)))
    assert "in it: OSError: a" in text
    assert "in it: ValueError" in text
    assert "private" not in text


def test_families_and_stacks_are_bounded() -> None:
    """Neither many exceptions, nor circles, nor deep recursion make an endless text."""
    many = ExceptionGroup("many", [OSError(str(n)) for n in range(1000)])
    assert failure_text(many).count("OSError") < MAX_EXCEPTIONS
    circle = OSError("round")
    circle.__context__ = circle
    assert failure_text(circle) == "OSError: round"

    def deep(n: int) -> None:
        if n == 0:
            raise OSError("bottom")
        deep(n - 1)

    assert failure_text(raised(lambda: deep(300))).count(".py:") == MAX_FRAMES


def test_all_ways_of_giving_an_exception_are_understood() -> None:
    """True, an exception and a triple mean the same; nothing and False mean none."""
    error = raised(throw(OSError("it")))
    triple = (type(error), error, error.__traceback__)
    for given in (error, triple):
        assert describe_failure(None, "error", {"exc_info": given})["exception"].startswith("OSError: it")
    try:
        raise error
    except OSError:
        assert sys.exc_info()[1] is error
        assert describe_failure(None, "error", {"exc_info": True})["exception"].startswith("OSError: it")
    for nothing in (None, False, (None, None, None), True):
        assert describe_failure(None, "error", {"exc_info": nothing}) == {}
