"""A database that is away for longer than a connection to it is tried: what clients are told meanwhile.

The front end is there all the time, with the recipe's settings of sshd.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.high_availability.front_end import FrontEnd, front_end, make_person, make_pusher
from tests.high_availability.owner import wait_for
from tests.high_availability.postgresql import Server, running_server
from tests.high_availability.pushers import LASTING, Pusher, run

PATIENCE = 0.2
"""Seconds for which msglog tries to connect, here: the outages are many times as long."""

GRACE = 5
"""LoginGraceTime, where it is to be over: long enough for a login on a machine that is busy."""

SECONDS = 60.0
PROGRAM = f"""\
import sys
from msglog import postgres_link
from porcelain.entry import run

postgres_link.OPENING_SECONDS = {PATIENCE}
sys.exit(run())
"""


def program(folder: Path) -> Sequence[str]:
    """Return how sshd starts a msglog that has little patience."""
    script = folder / "msglog"
    script.write_text(PROGRAM)
    return ["/usr/bin/env", sys.executable, "-I", str(script)]


@contextmanager
def scene(folder: Path, grace: int | None = None) -> Iterator[tuple[Server, FrontEnd, Pusher]]:
    """A database, a front end and a client that has pushed once."""
    with (
        running_server() as server,
        front_end(folder, server.address(), program=program(folder), grace=grace) as front,
    ):
        user = make_person(front, "ann")
        ann = make_pusher(user, front.address(user))
        for words in (("add", "-q", "before"), ("push", "-q")):
            assert run(ann.command(*words)).status == 0
        yield server, front, ann


def start(pusher: Pusher, *words: str) -> "subprocess.Popen[str]":
    command = pusher.command(*words)
    return subprocess.Popen(
        command.words,
        cwd=command.folder,
        env=command.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def asking(folder: Path) -> list[Path]:
    """Return the processes that sshd's question about a key has started."""
    script = str(folder / "msglog").encode()
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = process.read_bytes().split(b"\0")
            if script in words and b"authorized-keys" in words:
                found.append(process)
    return found


def test_a_push_outlasts_the_outage(tmp_path: Path) -> None:
    with scene(tmp_path) as (server, front, ann):
        run(ann.command("add", "-q", "while it is away"))
        server.kill()
        with start(ann, "push", "-q") as push:
            begun = time.monotonic()
            try:
                wait_for(
                    "the push ends, or is tried for longer than its patience",
                    lambda: push.poll() is not None or time.monotonic() - begun > 20 * PATIENCE,
                    SECONDS,
                )
                assert push.poll() is None
                assert asking(tmp_path)
                server.start_again()
                _, said = push.communicate(timeout=SECONDS)
            finally:
                push.kill()
        assert (push.returncode, said) == (0, "")
        assert "Failed publickey" not in front.sshd.log


def test_one_that_does_not_is_not_told_that_its_key_is_refused(tmp_path: Path) -> None:
    with scene(tmp_path, grace=GRACE) as (server, front, ann):
        run(ann.command("add", "-q", "while it is away"))
        server.kill()
        for transport in ("paramiko", "openssh"):
            run(ann.command("config", "set", "ssh.transport", transport))
            for push in [start(ann, "push", "-q") for _ in range(2)]:
                _, said = push.communicate(timeout=SECONDS)
                assert push.returncode == 4
                assert not any(text in said for text in LASTING), said
        # Who asks for a login that is over has ended with it.
        wait_for("somebody asks for nobody", lambda: not asking(tmp_path), SECONDS)
        server.start_again()
        wait_for("no push works", lambda: run(ann.command("push", "-q")).status == 0, SECONDS)
        assert "drop connection" not in front.sshd.log  # of its address, which others share


def test_a_daemon_goes_on_after_an_outage(tmp_path: Path) -> None:
    with (
        scene(tmp_path, grace=GRACE) as (server, _, ann),
        start(ann, "sync", "--every", "5s") as sync,
    ):
        assert sync.stderr is not None
        try:
            server.kill()
            said = sync.stderr.readline()
            assert "trying again in" in said
            server.start_again()
            while "trying again in" in said:
                said = sync.stderr.readline()
            assert said == "msglog: origin answers again\n"
            sync.terminate()
            assert sync.wait(SECONDS) == 0
        finally:
            sync.kill()
