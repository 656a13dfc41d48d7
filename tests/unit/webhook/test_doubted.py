"""Which clients are doubted: those of whose requests too many were not believed lately."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st

from bridge.intake.webhook.doubted import DoubtedClients

STRANGER = ip_address("203.0.113.9")
HELPDESK = ip_address("198.51.100.7")


def test_only_the_client_that_was_refused_is_doubted() -> None:
    """Twice the rate at once makes one address doubted, and no other."""
    clients = DoubtedClients(rate=20.0, most=10)
    for _ in range(39):
        clients.charge(STRANGER, 100.0)
    assert not clients.doubts(STRANGER, 100.0)
    clients.charge(STRANGER, 100.0)
    assert clients.doubts(STRANGER, 100.0)
    assert not clients.doubts(HELPDESK, 100.0)
    assert not clients.doubts(None, 100.0)


def test_doubt_ends_when_the_refusals_end() -> None:
    """A moment without refusals is enough: the bucket fills at its rate."""
    clients = DoubtedClients(rate=1.0, most=10)
    for _ in range(50):
        clients.charge(STRANGER, 0.0)
    assert clients.doubts(STRANGER, 0.5)
    assert not clients.doubts(STRANGER, 1.0)


def test_one_network_of_ipv6_is_one_client() -> None:
    """A client that changes the lower half of its address stays the same; IPv4 neighbours are others."""
    clients = DoubtedClients(rate=0.1, most=10)
    clients.charge(ip_address("2001:db8::1"), 0.0)
    clients.charge(STRANGER, 0.0)
    assert clients.doubts(ip_address("2001:db8::ffff:2"), 0.0)
    assert not clients.doubts(ip_address("2001:db8:0:1::1"), 0.0)
    assert not clients.doubts(ip_address("203.0.113.8"), 0.0)
    assert not clients.doubts(IPv6Address(int(STRANGER) << 64), 0.0), "versions are told apart"


def test_the_longest_quiet_is_forgotten() -> None:
    """Beyond the bound the address whose last refusal is oldest makes room, however early it came."""
    clients = DoubtedClients(rate=0.1, most=2)
    clients.charge(STRANGER, 0.0)
    clients.charge(HELPDESK, 0.0)
    clients.charge(STRANGER, 1.0)
    clients.charge(ip_address("192.0.2.1"), 2.0)
    assert clients.doubts(STRANGER, 2.0)
    assert not clients.doubts(HELPDESK, 2.0)


@given(numbers=st.lists(st.integers(0, 50), min_size=1, max_size=200), most=st.integers(1, 8))
def test_the_last_refused_are_remembered_and_never_more(numbers: list[int], most: int) -> None:
    """However refusals fall, exactly the last `most` different addresses are doubted."""
    clients = DoubtedClients(rate=0.001, most=most)
    for number in numbers:
        clients.charge(IPv4Address(number), 0.0)
    last = list(dict.fromkeys(reversed(numbers)))[:most]
    assert {one for one in range(51) if clients.doubts(IPv4Address(one), 0.0)} == set(last)
