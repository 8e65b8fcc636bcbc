"""A server that is imported already: `receive-pack` in a process of its own, without its start.

sshd starts RELAY as the forced command, in a hundredth of a second. It hands its three streams over
to the server below, whose child runs the very command that it would have run itself.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
from pathlib import Path

RELAY = """\
import array, os, socket, sys
line = os.environ.get("SSH_ORIGINAL_COMMAND", "").encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    streams = array.array("i", (0, 1, 2))
    server.sendmsg([b"." + line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    for stream in (0, 1, 2):
        os.close(stream)
    status = server.recv(1)
os._exit(status[0] if status else 1)
"""
LINE_BYTES = 1 << 16


def main(place: str, lock: str, *words: str) -> None:
    """Serve until the parent goes: `msglog receive-pack` with these words, for each that connects.

    lock: a file that every session holds a shared lock of.
    """
    import plumbing.receive_pack  # noqa: F401, PLC0415 - so that children have it
    import porcelain.cli  # noqa: PLC0415
    from msglog.store import sqlite  # noqa: F401, PLC0415

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork():
            connection.close()
            continue
        listener.close()
        line, streams, _, _ = socket.recv_fds(connection, LINE_BYTES, 3)
        held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(held, fcntl.LOCK_SH)
        for descriptor, stream in zip((0, 1, 2), streams, strict=True):
            os.dup2(stream, descriptor)
            os.close(stream)
        os.environ["SSH_ORIGINAL_COMMAND"] = line[1:].decode()
        sys.argv = ["msglog", "receive-pack", *words]
        status = porcelain.cli.run()
        os.close(0)
        os.close(1)
        connection.send(bytes([status]))
        os._exit(status)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main(*sys.argv[1:])
