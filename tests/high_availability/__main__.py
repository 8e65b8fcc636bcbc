"""`make ha`: kills, freezes and rejoins the nodes of a real cluster while clients push, and counts.

Clients are real processes that push through real sshds; each repeats a push that fails, and nothing else. All
that chance decides comes from the seed; when a process gets how far does not.
"""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.high_availability import schedule
from tests.high_availability.campaign import Campaign
from tests.high_availability.cluster import QUICK, USUAL, running
from tests.high_availability.front_end import front_end
from tests.high_availability.schedule import Kind


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.high_availability", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="each ends with a killed primary")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first run")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--front-ends", type=int, default=2)
    parser.add_argument("--faults", type=int, default=schedule.FAULTS, help="before the last one")
    parser.add_argument("--kind", action="append", choices=[kind.name for kind in Kind])
    parser.add_argument("--usual", action="store_true", help="Patroni's times as in the recipe")
    parser.add_argument("--logs", type=Path, help="a folder to keep the nodes' logs in")
    arguments = parser.parse_args()
    kinds = [Kind[name] for name in arguments.kind] if arguments.kind else schedule.ALL
    begun = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="msglog-ha-")))
        timing = USUAL if arguments.usual else QUICK
        cluster = stack.enter_context(running(timing=timing, logs=arguments.logs))
        url = cluster.url(folder / "pgpass")
        fronts = [
            stack.enter_context(front_end(folder / f"front{number}", url))
            for number in range(arguments.front_ends)
        ]
        campaign = Campaign.prepare(cluster, fronts, arguments.clients, folder, say)
        say(
            f"seed {arguments.seed}: {arguments.clients} clients, {arguments.front_ends} front ends,"
            f" 3 nodes, ready after {time.monotonic() - begun:.0f} s"
        )
        for number in range(arguments.first, arguments.first + arguments.runs):
            faults = schedule.draw(arguments.seed, number, faults=arguments.faults, kinds=kinds)
            campaign.run(number, faults)
            for line in campaign.findings.failures:
                say(f"  FAILURE: {line}")
    for line in campaign.findings.lines():
        say(line)
    say(f"{time.monotonic() - begun:.0f} s")
    return 1 if campaign.findings.failures else 0


if __name__ == "__main__":
    sys.exit(main())
