"""A transfer that is cut at nine tenths, and what its completion costs, in bytes on the link."""

from __future__ import annotations

from dataclasses import dataclass

from msglog.wire.events import BATCH_MESSAGES_LIMIT
from tests.cuts.fault import DOWN, UP, Fault
from tests.cuts.proxy import NOTHING
from tests.cuts.rig import LONG_SECONDS, Rig

CUT = 0.9
TAKING_SECONDS = 3.0
"""What a side needs at most for a batch.

The stream falls silent rather than ends, so that what arrived is taken in and acknowledged. When a
connection ends, ssh and sshd throw away what they have not passed on, up to the 2 MiB of an SSH
window, and a server does not know what a client could not acknowledge: that travels again.
"""

LOGIN_BYTES = 12_000
"""What a session costs besides its messages, with either transport."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Bytes in the direction of the messages: of the whole, of the one cut, and of the rest."""

    transport: str
    command: str
    messages: int
    whole: int
    first: int
    second: int

    @property
    def allowed(self) -> int:
        """What is left, the batch that was cut, the one under way behind it, and a login."""
        batches = 2 * min(1.0, BATCH_MESSAGES_LIMIT / self.messages)
        return int(self.whole * (1 - CUT + batches)) + LOGIN_BYTES

    @property
    def thrifty(self) -> bool:
        return self.second <= self.allowed

    def __str__(self) -> str:
        return (
            f"{self.transport} {self.command} of {self.messages}: {self.whole} bytes whole, "
            f"cut at {self.first}, {self.second} to complete it "
            f"({self.second / self.whole:.1%}, at most {self.allowed / self.whole:.1%})"
        )


def resume(rig: Rig, transport: str, command: str) -> Resumed:
    """Run a command whole, then cut it at nine tenths and complete it."""
    way = UP if command == "push" else DOWN
    words = ["clone", "server", "."] if command == "clone" else [command, "origin"]
    # A clone that was cut is gone on with by a pull, as it says itself.
    again = ["pull", "origin"] if command == "clone" else words
    before = rig.before["pull" if command == "clone" else command]
    whole = _passed(rig, transport, command, words, way)
    rig.put_back(command)
    rig.proxy.begin(Fault("stall", way, int(whole * CUT)))
    cut = rig.run(words, transport, seconds=TAKING_SECONDS)
    first = rig.proxy.passed(way)
    assert cut.status == 4, (cut, first)
    rig.proxy.begin(NOTHING)
    now = rig.held()
    assert now.theirs >= before.theirs
    assert now.told_me <= now.theirs
    # What the server agreed on before is no news of a clone.
    assert now.told_them - before.told_them <= now.mine | now.taken
    done = rig.run(again, transport, seconds=LONG_SECONDS)
    second = rig.proxy.passed(way)
    assert done.status == 0, done.err
    now = rig.held()
    assert now.mine == now.theirs == rig.everything
    new = len(rig.everything) - (len(before.theirs) if command == "push" else len(before.mine))
    return Resumed(transport, command, new, whole, first, second)


def _passed(rig: Rig, transport: str, command: str, words: list[str], way: str) -> int:
    rig.put_back(command)
    rig.proxy.begin(NOTHING)
    done = rig.run(words, transport, seconds=LONG_SECONDS)
    assert done.status == 0, done.err
    return rig.proxy.passed(way)
