"""Servers of the tests on 127.0.0.1: free ports, and what a server says until it is ready."""

import socket
import subprocess
import threading
from pathlib import Path


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
        self.ready = threading.Event()
        self._process = process
        self._path = path
        self._sign = sign
        self.start()

    def run(self) -> None:
        assert self._process.stderr is not None
        with self._path.open("wb") as file, self._process.stderr as stream:
            for line in stream:
                file.write(line)
                file.flush()
                if self._sign in line:
                    self.ready.set()
        self.ready.set()
