"""A TCP proxy on loopback that makes a link long: what goes in comes out half a round trip later.

It models the time alone: no loss, no slow start, no limit of bandwidth. A connection counts as made
one round trip after the client asked for it, as over a real link.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

CHUNK = 1 << 16
QUEUE = 1024
"""So many chunks may be under way in one direction before the sender is made to wait."""

Clock = Callable[[], float]


@dataclass(slots=True)
class Flow:
    """One direction of a link: when what arrives now may leave. Times in seconds of one clock.

    opened: nothing counts as sent before.
    """

    delay: float
    opened: float
    _last: float = field(default=0.0)

    def due(self, now: float) -> float:
        """Return when a chunk that came now leaves: never before one that came earlier."""
        self._last = max(self._last, max(now, self.opened) + self.delay)
        return self._last


@dataclass(slots=True)
class Traffic:
    """Bytes of all connections so far, from and to the client."""

    sent: int = 0
    received: int = 0


class DelayingProxy:
    """Listens on 127.0.0.1 from entering to leaving the block, in a thread of its own.

    round_trip: seconds; 0 makes a proxy that only counts. target: the port on 127.0.0.1 behind it.
    """

    def __init__(self, target: int, round_trip: float) -> None:
        self.port = 0
        self.traffic = Traffic()
        self._target = target
        self._round_trip = round_trip
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._link(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        half = self._round_trip / 2
        made = self._loop.time() + self._round_trip
        far: asyncio.StreamWriter | None = None
        try:
            # The server sees the connection when the last packet of the handshake reaches it.
            await asyncio.sleep(made + half - self._loop.time())
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(
                self._carry(reader, far, Flow(half, made), self._count_sent),
                self._carry(far_reader, writer, Flow(half, made), self._count_received),
            )
        except OSError:
            pass  # one side went away: so does the other
        finally:
            for end in (writer, far):
                if end is not None:
                    end.close()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flow: Flow,
        count: Callable[[int], None],
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUE)

        async def deliver() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - self._loop.time())
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

        async def take() -> None:
            data = b"."
            while data:
                data = await reader.read(CHUNK)
                count(len(data))
                await under_way.put((flow.due(self._loop.time()), data))

        await asyncio.gather(deliver(), take())

    def _count_sent(self, number: int) -> None:
        self.traffic.sent += number

    def _count_received(self, number: int) -> None:
        self.traffic.received += number
