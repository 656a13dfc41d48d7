"""What is not there: a key that the message's data does not have, or has as null."""

from typing import Any, Self

from jinja2 import ChainableUndefined, Undefined


class Missing(ChainableUndefined):
    """Every key, item and method of what is missing is missing too: a mail can be asked for `data.ticket.id`.

    It is false, empty, prints as nothing, equals only `none` and what else is missing, and is neither
    smaller nor larger than anything. Calculating with it fails.
    """

    __slots__ = ()

    def __call__(self, *_: Any, **__: Any) -> Self:  # type: ignore[override] # a missing value takes any call
        """Give what a method of the missing gives: it is missing too."""
        return self

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(Missing)

    def _never(self, _: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment] # one function for all comparisons

    def _no_number(self) -> Any:
        # The filters `int` and `float` take their default on a TypeError.
        raise TypeError("what is missing is no number")

    __int__ = __float__ = _no_number


MISSING = Missing(name="data")
