"""Mail loops: one sender, or one conversation, sends faster than people do. Decisions as values.

Each sender and each conversation has a bucket that fills with every mail and drains with time. Headers that
name an automatic mail (RFC 3834) are missing in many real loops, so that the number alone decides; automatic
mails weigh double.
"""

from typing import NamedTuple

WINDOW_MS = 600_000
"""A full bucket drains in so long."""
AUTOMATIC_WEIGHT = 2


class Bucket(NamedTuple):
    """What is known of one sender or conversation. Times are milliseconds since 1970."""

    level: float = 0.0
    at: int = 0
    """When its last mail came."""
    held: str = ""
    """The key of the held item that stands for its loop; empty where there is none."""
    mails: int = 0
    """How many mails its loop has, the held one included."""


def weight_of(*, automatic: bool) -> int:
    """How much one mail fills a bucket."""
    return AUTOMATIC_WEIGHT if automatic else 1


def at(bucket: Bucket, now: int, *, limit: int, quiet: int) -> Bucket:
    """The bucket as it is now: drained, and free again where it was quiet for so many milliseconds."""
    passed = max(0, now - bucket.at)
    if bucket.held:
        return Bucket(at=now) if passed >= quiet else bucket
    return Bucket(max(0.0, bucket.level - passed * limit / WINDOW_MS), now)


def filled(bucket: Bucket, weight: int, now: int) -> Bucket:
    """The bucket after one more mail, which was let through."""
    return Bucket(bucket.level + weight, now)


def looping(bucket: Bucket, key: str, now: int) -> Bucket:
    """The bucket after one more mail of its loop; the first one's key is the loop's."""
    return Bucket(bucket.level, now, bucket.held or key, bucket.mails + 1)


def crosses(bucket: Bucket, weight: int, *, limit: int) -> bool:
    """Whether one more mail of this weight is too many. A limit of 0 lets everything through."""
    return limit > 0 and bucket.level + weight > limit
