"""Servers of the tests on 127.0.0.1: free ports, and what a server says."""

import os
import select
import socket
import subprocess
import threading
from pathlib import Path

_PIECE_BYTES = 1 << 16


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerLog(threading.Thread):
    """Copies what a server says into a file; ready: set once it says sign, or has ended."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path, sign: bytes) -> None:
        super().__init__(daemon=True)
        assert process.stderr is not None
        self.ready = threading.Event()
        self._stream = process.stderr
        self._sign = sign
        self._said = b""
        self._file = path.open("wb")
        self._lock = threading.Lock()
        self._poller = select.poll()
        self._poller.register(self._stream, select.POLLIN)
        self.start()

    def run(self) -> None:
        waiting = select.poll()
        waiting.register(self._stream, select.POLLIN)
        while waiting.poll():
            if not self.catch_up():
                break
        with self._lock:
            self._file.close()
            self._stream.close()
        self.ready.set()

    def catch_up(self) -> bool:
        """Have all in the file that was said so far; return whether more may come."""
        with self._lock:
            while not self._stream.closed and self._poller.poll(0):
                data = os.read(self._stream.fileno(), _PIECE_BYTES)
                if not data:
                    return False
                self._file.write(data)
                self._file.flush()
                if not self.ready.is_set():
                    self._said += data
                    if self._sign in self._said:
                        self.ready.set()
            return not self._stream.closed
