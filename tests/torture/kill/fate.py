"""How each life is to end: a plan by seed, as a function of values."""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bridge.points import Point

FIRST_START = (Point.FILE_OPENED, Point.SCHEMA_BEGINS, Point.ORDER_WRITTEN, Point.HISTORY_READ)
"""The way of a first start, in this order; what comes behind the opening is passed there alone."""
WRITE = (Point.WRITE_BEGINS, Point.WRITE_DONE, Point.WRITE_COMMITTED)
WRITES_BEFORE_THE_BASELINE = 3
RENUMBERED = frozenset({Point.RENUMBERED_READ, Point.RENUMBERED_STORED})
"""Passed where the mail server has numbered the folder anew."""
MAIL = RENUMBERED | frozenset(
    {
        Point.COMMAND_LEAVES,
        Point.COMMAND_ANSWERED,
        Point.WINDOW_READ,
        Point.WINDOW_STORED,
        Point.ORDER_WRITTEN,
        Point.HISTORY_READ,
        Point.ACCESS_GRANTED,
        Point.ACTIONS_BEGIN,
        Point.ACTIONS_ENDED,
    }
)
"""Passed where a mailbox is watched."""
STOP = frozenset({Point.STOP_BEGINS, Point.FILE_CLOSES})
"""Passed by a service that was asked to stop."""
ONCE = STOP | RENUMBERED | {Point.FILE_OPENED, Point.ACCESS_GRANTED, Point.LIST_READ, Point.DOUBTS_RESOLVED}
FEW_TIMES = frozenset({Point.WINDOW_READ, Point.WINDOW_STORED, Point.ACTIONS_BEGIN, Point.ACTIONS_ENDED})
"""Passed once or a few times in most lives; the others many times."""
AT_RANDOM = 4
"""One life in so many ends at a random instant."""
LONGEST_SECONDS = 0.4
"""Of a life that ends at a random instant."""


@dataclass(frozen=True, slots=True)
class Fate:
    """The end of one life: at the `nth` passing of a point, or where there is none, after so many seconds."""

    point: Point | None = None
    nth: int = 1
    seconds: float = 0.0
    plain: bool = False
    """Whether it is started from the command line, where nobody watches points."""

    def __str__(self) -> str:
        if self.plain:
            return "random instants, plain start"
        return str(self.point) if self.point else "random instants"


def fates(seed: int, points: Collection[Point], *, kills: int, plain: int = 0) -> list[Fate]:
    """The ends of so many lives: the first start's points come first, then the others in turn, each time in another
    order.

    The last `plain` of them are started from the command line.
    """
    chance = random.Random(seed)
    ends = _ends(chance, points)
    return [next(ends) for _ in range(kills - plain)] + [_instant(chance, plain=True) for _ in range(plain)]


def _ends(chance: random.Random, points: Collection[Point]) -> Iterator[Fate]:
    first = [point for point in FIRST_START if point in points]
    yield from map(Fate, first[:2])
    for point in first[2:]:
        yield Fate(chance.choice(WRITE), chance.randint(1, WRITES_BEFORE_THE_BASELINE))
        yield Fate(point)
    others = [point for point in Point if point in points and point not in first[1:]]
    while True:
        chance.shuffle(others)
        for number, point in enumerate(others, 1):
            yield Fate(point, chance.randint(1, _most_passings(point)))
            if number % (AT_RANDOM - 1) == 0:
                yield _instant(chance)


def _most_passings(point: Point) -> int:
    """At which passing, at the latest, a life is to end."""
    if point in ONCE:
        return 1
    return 2 if point in FEW_TIMES else 8


def _instant(chance: random.Random, *, plain: bool = False) -> Fate:
    return Fate(seconds=chance.uniform(0, LONGEST_SECONDS), plain=plain)
