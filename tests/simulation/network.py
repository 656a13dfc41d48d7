"""TCP in memory: ordered bytes, cut and delayed as the seed will have it; refusals, resets and silence.

A connection is two ends. What one end writes comes to the other in order, in pieces, later. A silent connection
carries nothing and tells nobody; it never heals, as a new way through the network is another connection.
"""

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tests.simulation.owner import OWNER, owner_of

if TYPE_CHECKING:
    from tests.simulation.loop import SimLoop

FIRST_PORT = 20_000
MOST_IN_A_PIECE = 16 * 1024
HIGH_WATER = 64 * 1024
LOW_WATER = 16 * 1024
END = b""
"""In the place of bytes: nothing more will come."""

Factory = Callable[[], asyncio.BaseProtocol]


@dataclass(slots=True)
class Road:
    """The way to one port, and how it is there at the moment."""

    refused: bool = False
    silent: bool = False
    """New connections are never answered."""
    slowness: float = 1.0
    """Times the usual delay."""
    cut_after: float = 0.0
    """Probability that a piece is the last that comes through before a reset."""


class Network:
    """All roads, listeners and connections."""

    def __init__(self, loop: "SimLoop") -> None:
        self.loop = loop
        self.dead: set[str] = set()
        """Processes that are gone; what is left of them reaches nobody."""
        self._roads: dict[int, Road] = {}
        self._listeners: dict[int, Listening] = {}
        self._links: list[Link] = []
        self._dialled: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._numbers = 0

    def road(self, port: int) -> Road:
        """The way to a port."""
        return self._roads.setdefault(port, Road())

    def listen(self, port: int, factory: Factory) -> "Listening":
        """Listen on a port, or on a free one where it is 0. Raises OSError where somebody does already."""
        self._check_alive()
        port = port or max([FIRST_PORT, *self._listeners, *self._roads]) + 1
        if port in self._listeners:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._listeners[port] = Listening(self, port, factory)
        return self._listeners[port]

    def forget(self, listening: "Listening") -> None:
        """Nobody listens there any more."""
        if self._listeners.get(listening.port) is listening:
            del self._listeners[listening.port]

    def addresses(self, host: str, port: int) -> list[Any]:
        """What a name stands for, as `socket.getaddrinfo` tells it."""
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, host, ("127.0.0.1", port))]

    async def reach(self, port: int) -> None:
        """The handshake. Raises ConnectionRefusedError; takes for ever where nobody answers."""
        self._check_alive()
        road = self.road(port)
        await asyncio.sleep(self.loop.random.uniform(0.0001, 0.01) * road.slowness)
        if road.silent:
            await self.loop.create_future()
        if road.refused or port not in self._listeners:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    async def dial(self, sock: Any, port: int) -> None:
        """The handshake for a socket object, which carries nothing itself."""
        await self.reach(port)
        self._dialled[sock] = port

    def dialled(self, sock: Any) -> int:
        """The port that a socket object has reached."""
        sock.close()
        return self._dialled.pop(sock)

    def join(self, port: int, factory: Factory) -> tuple["End", asyncio.BaseProtocol]:
        """A connection to a port that was reached."""
        listener = self._listeners.get(port)
        if listener is None:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        self._numbers += 1
        link = Link(self, self._numbers, port, listener)
        self._links = [one for one in self._links if not one.over] + [link]
        protocol = factory()
        link.client.begin(protocol)
        self.loop.call_soon(link.server.accept, listener.factory, context=listener.context)
        return link.client, protocol

    def cut(self, port: int) -> None:
        """Reset every connection to a port."""
        for link in self._links:
            if link.port == port:
                link.reset()

    def silence(self, port: int) -> None:
        """Nothing goes over these connections any more, and nobody is told."""
        for link in self._links:
            if link.port == port:
                link.silent = True

    def kill(self, owner: str) -> None:
        """A process is gone: nobody listens any more, and the system ends its connections."""
        self.dead.add(owner)
        for listener in [one for one in self._listeners.values() if one.owner == owner]:
            listener.close()
        for link in self._links:
            for end in (link.client, link.server):
                if end.owner == owner:
                    end.die()

    def _check_alive(self) -> None:
        if OWNER.get() in self.dead:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def connections(self) -> int:
        """How many have not ended."""
        return sum(not link.over for link in self._links)


class Listening(asyncio.AbstractServer):
    """A port that is listened on."""

    def __init__(self, network: Network, port: int, factory: Factory) -> None:
        self.port = port
        self.factory = factory
        self.context = copy_context()
        self.owner = owner_of(self.context)
        self.sockets = (Name(port),)
        self._network = network

    def close(self) -> None:
        """Listen no more; connections stay."""
        self._network.forget(self)

    async def wait_closed(self) -> None:
        """Closing takes no time."""

    def is_serving(self) -> bool:
        """Always, until it is closed."""
        return True

    async def start_serving(self) -> None:
        """It does from the beginning."""

    async def serve_forever(self) -> None:
        """Nobody waits for it."""
        raise NotImplementedError

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The simulation's."""
        return self._network.loop


class Name:
    """What is asked of a socket object: its name. Options are heard and do nothing."""

    family = socket.AF_UNIX
    """Not one of TCP's, so that nobody sets options of TCP."""

    def __init__(self, port: int) -> None:
        self._port = port

    def getsockname(self) -> tuple[str, int]:
        """Address and port."""
        return "127.0.0.1", self._port

    def setsockopt(self, *_: Any) -> None:
        """Heard."""


class Link:
    """A connection: two ends."""

    def __init__(self, network: Network, number: int, port: int, listener: Listening) -> None:
        self.network = network
        self.number = number
        self.port = port
        self.silent = False
        self.usual = network.loop.random.uniform(0.0002, 0.02)
        """The usual delay of this connection."""
        self.client = End(self, copy_context(), FIRST_PORT - network.loop.random.randrange(1, 10_000), port)
        self.server = End(self, listener.context, port, self.client.port)
        self.client.peer, self.server.peer = self.server, self.client

    @property
    def over(self) -> bool:
        """Whether both ends have ended."""
        return self.client.lost and self.server.lost

    def reset(self) -> None:
        """Both ends hear that the other is gone."""
        for end in (self.client, self.server):
            end.lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))

    def delay(self) -> float:
        """The next piece's."""
        slowness = self.network.road(self.port).slowness
        return self.usual * slowness * self.network.loop.random.uniform(0.5, 1.5)


class End(asyncio.Transport):
    """One end of a connection, as asyncio's transports are."""

    peer: "End"

    def __init__(self, link: Link, context: Context, port: int, other: int) -> None:
        super().__init__(
            {"peername": ("127.0.0.1", other), "sockname": ("127.0.0.1", port), "socket": Name(port)}
        )
        self.port = port
        self.owner = owner_of(context)
        self.lost = False
        self._link = link
        self._loop = link.network.loop
        self._context = context
        self._protocol: Any = None
        self._closing = False
        self._paused = False
        self._full = False
        self._way: deque[tuple[float, bytes]] = deque()
        """Pieces on their way to the peer, and when each arrives."""
        self._on_way = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, protocol: asyncio.BaseProtocol) -> None:
        """The connection is there."""
        self._protocol = protocol
        protocol.connection_made(self)
        self.peer._expect()

    def accept(self, factory: Factory) -> None:
        """The same at the listening side, where nothing else has ended it yet."""
        if not self.lost:
            self.begin(factory())

    # What protocols ask of a transport.

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._paused

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self.peer._expect()

    def get_write_buffer_size(self) -> int:
        return self._on_way

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return LOW_WATER, HIGH_WATER

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """They are fixed here."""

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        for piece in self._pieces(bytes(data)):
            self._send(piece)
        if self._on_way > HIGH_WATER and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """What is on its way arrives, and then the end."""
        if self._closing:
            return
        self._send(END)
        self._part(None)

    def abort(self) -> None:
        """At once: what is on its way may get lost, and the peer hears of a reset."""
        if self.lost or self._closing:
            return
        if self._link.silent or self._loop.random.random() < 0.5:
            self._way.clear()
        self._part(None)
        self._tell_reset()

    # The network's side.

    def die(self) -> None:
        """The process of this end is gone; the peer hears of an end or of a reset."""
        if self.lost:
            return
        if not self._closing:
            self._send(END)
        self._closing = self.lost = True
        if self._loop.random.random() < 0.5:
            self._tell_reset()

    def lose(self, error: Exception) -> None:
        """The connection is over."""
        self._way.clear()
        if not self._closing:
            self._part(error)

    def _part(self, error: Exception | None) -> None:
        self._closing = True
        self._loop.call_soon(self._over, error, context=self._context)

    def _over(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            if self._protocol is not None:
                self._protocol.connection_lost(error)

    def _tell_reset(self) -> None:
        if not self._link.silent:
            error = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            when = max(self._loop.time() + self._link.delay(), self._way[-1][0] if self._way else 0.0)
            self._loop.call_at(when, self.peer.lose, error, context=self.peer._context)

    def _pieces(self, data: bytes) -> list[bytes]:
        """Cut at drawn places, as TCP knows no messages."""
        places = sorted({0, *range(MOST_IN_A_PIECE, len(data), MOST_IN_A_PIECE), *self._cuts(len(data))})
        return [data[at:to] for at, to in zip(places, [*places[1:], len(data)], strict=True) if to > at]

    def _cuts(self, length: int) -> list[int]:
        dice = self._loop.random
        return [dice.randrange(length) for _ in range(dice.choice((0, 0, 0, 1, 2)))] if length > 1 else []

    def _send(self, piece: bytes) -> None:
        earliest = self._way[-1][0] if self._way else 0.0
        self._way.append((max(earliest, self._loop.time() + self._link.delay()), piece))
        self._on_way += len(piece)
        self._expect()

    def _expect(self) -> None:
        """Let the next piece arrive in its time, where it can."""
        peer = self.peer
        if self._timer or not self._way or peer._paused or peer._protocol is None or self._link.silent:
            return
        self._timer = self._loop.call_at(self._way[0][0], self._arrive, context=peer._context)

    def _arrive(self) -> None:
        self._timer = None
        if not self._way or self.peer._paused or self._link.silent:
            return
        _, piece = self._way.popleft()
        self._on_way -= len(piece)
        self._loop.note("piece", self._link.number, self.port, len(piece))
        self.peer._receive(piece)
        self._expect()
        if self._full and self._on_way < LOW_WATER and not self.lost:
            self._full = False
            self._protocol.resume_writing()
        road = self._link.network.road(self._link.port)
        if road.cut_after and self._loop.random.random() < road.cut_after:
            self._link.reset()

    def _receive(self, piece: bytes) -> None:
        if self._closing:
            if piece:
                self._tell_reset()
        elif piece:
            self._protocol.data_received(piece)
        elif not self._protocol.eof_received():
            self.close()
