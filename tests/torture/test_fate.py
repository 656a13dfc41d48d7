"""The plan of an ordeal: what it leaves out, nobody would try."""

from bridge.points import Point
from tests.torture.kill.fate import FIRST_START, Fate, fates


def test_every_point_has_its_turn() -> None:
    """Fifty kills have each point at least once, and the first start's before any mail is stored."""
    plan = fates(3, frozenset(Point), kills=50)
    assert {one.point for one in plan} == {*Point, None}
    assert [one.point for one in plan if one.point in FIRST_START[1:]] == list(FIRST_START[1:])
    assert plan[0] == Fate(FIRST_START[0])
    assert plan.index(Fate(FIRST_START[-1])) < min(
        at for at, one in enumerate(plan) if one.point is Point.WINDOW_STORED
    )


def test_a_plan_is_its_seeds() -> None:
    """The same seed makes the same plan, so that a failure can be looked at again; another seed makes another."""
    one, again, other = (fates(seed, frozenset(Point), kills=50) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_some_lives_are_started_from_the_command_line() -> None:
    """As many as are asked for; they end at random instants, as nobody watches points in them."""
    plan = fates(1, frozenset(Point), kills=20, plain=5)
    assert [one.plain for one in plan] == [False] * 15 + [True] * 5
    assert {one.point for one in plan if one.plain} == {None}


def test_points_that_are_not_asked_for_are_left_out() -> None:
    """Without a mail server the points of mail cannot be passed."""
    plan = fates(1, {Point.HOOK_STORED, Point.SCHEMA_BEGINS}, kills=30)
    assert {one.point for one in plan} - {None} <= {
        Point.HOOK_STORED,
        Point.SCHEMA_BEGINS,
        Point.WRITE_BEGINS,
        Point.WRITE_DONE,
        Point.WRITE_COMMITTED,
    }
