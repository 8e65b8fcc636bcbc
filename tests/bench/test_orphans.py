"""Adopting what others left behind."""

import os
import subprocess
import sys

from tests.bench.orphans import adopting, children

BURN = "t=__import__('time');e=t.process_time()+0.2\nwhile t.process_time()<e: pass"
FOREVER = "__import__('signal').pause()"


def orphan(text: str) -> None:
    """Start a process that starts another and ends at once."""
    starter = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {text!r}])"
    subprocess.run([sys.executable, "-c", starter], check=True)


def test_the_time_of_an_orphan_is_told() -> None:
    before = children()
    with adopting() as orphans:
        orphan(BURN)
        spent, killed = orphans.collect()
        assert spent >= 0.2
        assert killed == 0
    assert children() == before


def test_one_that_does_not_end_is_ended() -> None:
    before = children()
    with adopting() as orphans:
        orphan(FOREVER)
        assert orphans.collect(0.0)[1] == 1
    assert children() == before


def test_what_we_started_ourselves_is_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", FOREVER]) as process:
        with adopting() as orphans:
            assert orphans.collect() == (0.0, 0)
        assert process.poll() is None
        os.kill(process.pid, 15)
