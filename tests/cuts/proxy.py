"""A TCP proxy on loopback to whose stream one thing happens, at one byte of one direction.

The delaying one of tests/bench models a good link that is long; this one models a bad one.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Self

from tests.cuts.fault import DOWN, UP, Fault, Stream

CHUNK = 1 << 16
DELAY_SECONDS = 0.05
PIECE_SECONDS = 0.0002
RESET = struct.pack("ii", 1, 0)
WAKE_SECONDS = 0.2
"""How often a thread that waits looks whether the proxy was closed."""

NOTHING = Fault("none")


class Link:
    """One connection through the proxy, and what passed of it."""

    def __init__(self, near: socket.socket, target: int, fault: Fault) -> None:
        self._near = near
        self._far = socket.create_connection(("127.0.0.1", target))
        self._fault = fault
        self._ending = threading.Lock()
        self._has_ended = False
        self.streams = {
            way: Stream(fault if fault.direction == way else NOTHING) for way in (UP, DOWN)
        }
        for end in (self._near, self._far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.threads = [
            threading.Thread(target=self._carry, args=ends, daemon=True)
            for ends in ((UP, self._near, self._far), (DOWN, self._far, self._near))
        ]

    def start(self) -> None:
        """Begin to pass on."""
        for thread in self.threads:
            thread.start()

    @property
    def reached(self) -> bool:
        return self.streams[self._fault.direction].reached

    def end(self, *, reset: bool = False) -> None:
        """Close both ends, in order or by a reset, and so wake both threads."""
        with self._ending:
            self._has_ended = True
            for end in (self._near, self._far):
                with contextlib.suppress(OSError):
                    if reset:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    # To stop reading says nothing to the peer, but wakes the thread that reads.
                    end.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
                end.close()

    def join(self) -> None:
        for thread in self.threads:
            thread.join()

    def _carry(self, way: str, source: socket.socket, target: socket.socket) -> None:
        stream = self.streams[way]
        try:
            source.settimeout(WAKE_SECONDS)
            while data := self._receive(source):
                was = stream.reached
                pieces = stream.pass_on(data)
                now = stream.reached and not was
                for piece in pieces:
                    if now and self._fault.kind == "delay":
                        time.sleep(DELAY_SECONDS)
                    if now and self._fault.kind == "throttle":
                        time.sleep(PIECE_SECONDS)
                    target.sendall(piece)
                if now and stream.cut:
                    if self._fault.kind in ("fin", "rst"):
                        self.end(reset=self._fault.kind == "rst")
                        return
                    if self._fault.kind == "half":
                        target.shutdown(socket.SHUT_WR)
            if stream.cut:
                # Whoever fell silent has left at last: so does the other side.
                self.end()
            else:
                with self._ending:
                    if not self._has_ended:  # it may have ended by a reset, which this is not
                        target.shutdown(socket.SHUT_WR)
        except OSError:
            self.end()

    @staticmethod
    def _receive(source: socket.socket) -> bytes:
        while True:
            try:
                return source.recv(CHUNK)
            except TimeoutError:
                continue


class FaultProxy:
    """Listens on 127.0.0.1 until closed. target: the port on 127.0.0.1 behind it.

    fault: what happens to the next connection, and to each until it is set anew.
    """

    def __init__(self, target: int) -> None:
        self.fault = NOTHING
        self._once = False
        self.links: list[Link] = []
        self._accepting = threading.Lock()
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.settle()

    def begin(self, fault: Fault, *, once: bool = False) -> None:
        """Have this happen to what comes next, and forget what came before.

        once: to the next connection alone.
        """
        self.settle()
        self.fault, self._once = fault, once

    def settle(self) -> None:
        """End all connections, and wait until nothing of them is left."""
        with self._accepting:  # who has just come is among them, or comes afterwards
            links, self.links = self.links, []
        for link in links:
            link.end()
            link.join()

    def _all(self) -> list[Link]:
        """Return all connections, also one that has passed on something before it was listed."""
        with self._accepting:
            return [*self.links]

    @property
    def reached(self) -> bool:
        return any(link.reached for link in self._all())

    def threads(self) -> set[threading.Thread]:
        return {thread for link in self._all() for thread in link.threads}

    def passed(self, way: str) -> int:
        """Return how many bytes of one direction have come so far."""
        return sum(link.streams[way].passed for link in self._all())

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._accepting:
                try:
                    link = Link(near, self._target, self.fault)
                except OSError:
                    near.close()
                    continue
                link.start()
                self.links.append(link)
                if self._once:
                    self.fault = NOTHING
