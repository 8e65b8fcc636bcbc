"""A forced command that runs msglog so that it can be killed at a system call of its own.

The first word is the folder of a site, the others msglog's. Its file `plan` says at which call, 0 for
never; how many there were, and what was said, is written beside it. Runs in isolated mode.
"""

import fcntl
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from porcelain.cli import main
from tests.crash.calls import Call
from tests.crash.site import SMALL_BATCHES, WHOLE_ANSWERS, Site
from tests.crash.striking import Eligible
from tests.crash.tracing import Action, Go, Kill, Observer, read_memory, run


class Server(Observer):
    """Counts, and kills at a number."""

    def __init__(self, site: Site, number: int) -> None:
        self._eligible = Eligible(site)
        self._number = number
        self.count = 0
        self.wire = bytearray()

    def decide(self, call: Call) -> Action:
        if call.role in self._eligible.kinds(call):
            self.count += 1
            if self.count == self._number:
                return Kill(frozenset({call.role}))
        return Go(watch=call.name == "write" and call.arguments[0] == 1)

    def returned(self, call: Call, result: int) -> None:
        if result > 0:
            self.wire += read_memory(call.process, call.arguments[1], result)


def serve(site: Site, words: list[str]) -> int:
    """Run msglog with these words; return the status."""

    def work() -> int:
        exec(SMALL_BATCHES + WHOLE_ANSWERS, {})
        streams = (sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)
        return main(words, os.environ, *streams)

    with site.plan.open("rb") as plan:
        fcntl.flock(plan, fcntl.LOCK_SH)  # whoever judges waits for this
        observer = Server(site, int(plan.read()))
        ending = run(work, observer)
        site.count.write_text(str(observer.count))
        site.wire.write_bytes(bytes(observer.wire))
    return ending.status if ending.status is not None else 1


if __name__ == "__main__":
    STATUS = serve(Site(Path(sys.argv[1])), sys.argv[2:])
    if STATUS < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(STATUS)
