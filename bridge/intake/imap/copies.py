"""Identical mails without a Message-ID: machines send several within one second, and people move mails about.

Both look the same: header and time of arrival are equal. They are told apart by what is in the folder: a
copy beside one that is still there is a message of its own, and one in the place of a copy that is gone is that
mail, come back. So copies are numbered from 0, and a mail gets the smallest number that no mail still there has.
Numbers do not depend on UIDs: after a folder was numbered anew, n copies have the numbers 0 to n-1 again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from bridge.intake.handover import Handover, Incoming
from bridge.intake.imap.connection import Connection
from bridge.message import Message

MAX_COPIES = 64
"""Copies beside each other that are told apart. A further one is taken for the last of them."""
COPIES_AT_ONCE = 8


def numbered(digest: str, number: int) -> str:
    """The digest of a copy; the first one's is the mail's own."""
    return sha256(f"{digest}\0{number}".encode()).hexdigest() if number else digest


def number_of(uid: int, known: Sequence[Collection[int]], there: Collection[int]) -> int:
    """The number of the copy at this UID.

    `known` are the UIDs at which each number was found, `there` those of them that are still in the folder.
    """
    for number, uids in enumerate(known):
        if uid in uids:
            return number
    for number, uids in enumerate(known):
        if not any(other in there for other in uids):
            return number
    return len(known)


async def told_apart(
    connection: Connection, handover: Handover, mails: Mapping[int, Incoming], uidvalidity: int
) -> dict[int, Incoming]:
    """The same mails by UID, where those without a Message-ID have the digest of their copy."""
    told = dict(mails)
    alike: dict[str, list[int]] = {}
    for uid, mail in mails.items():
        if isinstance(mail, Message) and not mail.message_id:
            alike.setdefault(mail.digest, []).append(uid)
    if not alike:
        return told
    known = await _known(handover, [mails[uids[0]] for uids in alike.values()], uidvalidity)
    there = await _still_there(connection, known, alike)
    for digest, uids in alike.items():
        for uid, number in _numbers(uids, known[digest], there):
            mail = mails[uid]
            if isinstance(mail, Message):
                told[uid] = replace(mail, digest=numbered(digest, number))
    return told


def _numbers(
    uids: Sequence[int], known: Sequence[Collection[int]], there: Collection[int]
) -> Iterable[tuple[int, int]]:
    found = [set(one) for one in known]
    present = {*there, *uids}
    for uid in sorted(uids):
        number = min(number_of(uid, found, present), MAX_COPIES - 1)
        if number == len(found):
            found.append(set())
        found[number].add(uid)
        yield uid, number


async def _known(
    handover: Handover, mails: Sequence[Incoming], uidvalidity: int
) -> dict[str, list[list[int]]]:
    """By digest, the UIDs at which each number was found; as many numbers as there are."""
    known: dict[str, list[list[int]]] = {mail.digest: [] for mail in mails}
    source, folder = mails[0].source, mails[0].folder
    asking, begin, end = list(known), 0, 1
    while asking and begin < MAX_COPIES:
        numbers = range(begin, end)
        digests = [numbered(digest, number) for digest in asking for number in numbers]
        answers = await handover.uids_of(source, folder, uidvalidity, digests)
        more = []
        for at, digest in enumerate(asking):
            found = answers[at * len(numbers) : (at + 1) * len(numbers)]
            known[digest] += [uids for uids in found if uids]
            if found[-1]:
                more.append(digest)
        asking, begin, end = more, end, min(end + COPIES_AT_ONCE, MAX_COPIES)
    return known


async def _still_there(
    connection: Connection, known: Mapping[str, Sequence[Sequence[int]]], alike: Mapping[str, Sequence[int]]
) -> set[int]:
    wanted = {
        uid
        for digest, numbers in known.items()
        for uids in numbers
        for uid in uids
        if uid not in alike[digest]
    }
    return set(await connection.existing(sorted(wanted)))
