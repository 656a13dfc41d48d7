from pathlib import Path

import pytest

from bridge.points import Point, passing, watching

BRIDGE = Path(__file__).parents[2] / "bridge"


def test_a_watcher_sees_each_point_while_it_watches() -> None:
    """A watcher is told of every point, may raise there, and is told of nothing afterwards."""
    seen: list[Point] = []
    with watching(seen.append):
        passing(Point.POST_BEGINS)
    passing(Point.POST_ENDED)
    assert seen == [Point.POST_BEGINS]

    def fail(point: Point) -> None:
        raise OSError(point)

    with watching(fail), pytest.raises(OSError, match="post-ended"):
        passing(Point.POST_ENDED)
    passing(Point.POST_ENDED)


@pytest.mark.parametrize("point", Point)
def test_every_point_is_passed_in_one_place(point: Point) -> None:
    """A point that no code passes, or two places pass, would tell a test nothing."""
    places = [file for file in BRIDGE.rglob("*.py") if f"passing(Point.{point.name})" in file.read_text()]
    assert len(places) == 1
