"""Measures msglog beside git, fossil and muchsync: `python -m tests.bench`, see `--help`.

Leaves the raw figures as JSON, and writes the tables and plots of docs/performance.md from them.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import negotiation, report, result
from tests.bench.campaign import Campaign
from tests.bench.command import CommandError
from tests.bench.corpus import Vocabulary, machine_vocabulary
from tests.bench.extremes import Extremes
from tests.bench.fossil import Fossil
from tests.bench.git import Git
from tests.bench.load import Load, LoadError
from tests.bench.machine import describe
from tests.bench.msglog import ROOT, Msglog, compile_all
from tests.bench.muchsync import Muchsync
from tests.bench.peer import Peer, missing
from tests.bench.rows import GROUPS, LOAD_CLIENTS
from tests.bench.scale import Scale
from tests.bench.site import Site, running_site

PEERS: dict[str, type[Peer]] = {kind.name: kind for kind in (Git, Msglog, Fossil, Muchsync)}
MOST = {"git": 1_000_000, "fossil": 10_000, "muchsync": 10_000}
"""Beyond so many messages a program is left out, unless --peers names it."""

SHORT: dict[str, object] = {
    "sizes": [10**4, 10**5],
    "scale": [10**3, 10**4, 10**5],
    "load_clients": [1, 8, 32],
    "load_seconds": 5.0,
}
FULL: dict[str, object] = {
    "sizes": [10**4, 10**5, 10**6],
    "scale": [10**3, 10**4, 10**5, 10**6, 10**7],
    "load_clients": list(LOAD_CLIENTS),
    "load_seconds": 60.0,
}
"""What is measured unless an option says otherwise, with --full and without."""

ALONE = frozenset(("descent", "logs", "large", "moment", "scale", "load"))
"""The groups that need no history of every program; where these alone are selected, none is made."""

WORK = Path("/var/tmp")
"""On a disk, unlike /tmp in many places: durability must cost what it costs."""
DOCUMENT = ROOT / "docs" / "performance.md"


def main(words: Sequence[str]) -> int:
    arguments = parse(words)
    if arguments.report:
        report.write(result.read(arguments.report), DOCUMENT)
        return 0
    begun = time.monotonic()
    sound = True

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:7.1f} s  {text}", file=sys.stderr, flush=True)

    found = result.Result()
    kinds: list[type[Peer]] = []
    for name in arguments.peers or PEERS:
        kind = PEERS[name]
        found.durability[name] = kind.durability
        if packages := missing(kind):
            found.notes.append(f"{name}: not installed (Debian: apt install {' '.join(packages)})")
            say(found.notes[-1])
        else:
            kinds.append(kind)
    compile_all()
    vocabulary = machine_vocabulary()
    try:
        with TemporaryDirectory(prefix="msglog-bench-", dir=arguments.work) as folder:
            found.machine = describe(Path(folder))
            found.options = {
                "seed": str(arguments.seed),
                "sizes": ", ".join(f"{size:,}" for size in arguments.sizes),
                "sizes of cost curves": ", ".join(f"{size:,}" for size in arguments.scale),
                "load": f"{arguments.load_seconds:g} s for each number of clients",
                "words from": f"{vocabulary.source} (digest {vocabulary.digest})",
            }
            with running_site(Path(folder)) as site:
                beside = not ALONE.issuperset(arguments.rows)
                campaign = Campaign(
                    site, vocabulary, arguments.seed, arguments.rows, found, say, arguments.turns
                )
                for size in sorted(arguments.sizes) if beside else []:
                    taking = [
                        kind
                        for kind in kinds
                        if arguments.peers or size <= MOST.get(kind.name, size)
                    ]
                    campaign.measure(size, taking)
                    found.write(arguments.output)
                campaign.measure_growth()
                sound = measure_alone(site, vocabulary, arguments, kinds, found=found, say=say)
    except (CommandError, LoadError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        if found.series:
            found.write(arguments.output)
    say(f"raw figures: {arguments.output}")
    if arguments.document:
        report.write(found, DOCUMENT)
    return 0 if sound else 1


def measure_alone(
    site: Site,
    vocabulary: Vocabulary,
    arguments: argparse.Namespace,
    kinds: Sequence[type[Peer]],
    *,
    found: result.Result,
    say: Callable[[str], None],
) -> bool:
    """Measure what has histories of its own; return whether all pushes of the load worked."""
    turns, seed = arguments.turns, arguments.seed
    if Msglog in kinds:
        extremes = Extremes(site, vocabulary, seed, found, say, turns)
        for name, act in (
            ("logs", extremes.many_logs),
            ("large", extremes.large_messages),
            ("moment", extremes.one_time),
        ):
            if name in arguments.rows:
                act()
                found.write(arguments.output)
        for size in sorted(arguments.sizes) if "descent" in arguments.rows else []:
            if size <= MOST[Git.name]:
                say(f"{size:,}: differences without a common root")
                negotiation.record(found, size)
        if "scale" in arguments.rows:
            Scale(site, vocabulary, seed, found, say, turns).measure(arguments.scale)
            found.write(arguments.output)
    if "load" in arguments.rows:
        load = Load(site, vocabulary, found, say, arguments.load_seconds)
        return load.measure(arguments.load_clients, kinds)
    return True


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", help="messages of each history")
    parser.add_argument("--rows", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="these alone, at every size")
    parser.add_argument("--turns", type=int, help="figures a row, instead of the usual numbers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=WORK, help="a folder on the disk to measure")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench" / "result.json")
    parser.add_argument("--document", action="store_true", help=f"write docs/{DOCUMENT.name}")
    parser.add_argument("--report", type=Path, help="measure nothing: write it from this result")
    parser.add_argument(
        "--scale", type=int, nargs="+", help="messages of each log whose cost curves are drawn"
    )
    parser.add_argument("--load-clients", type=int, nargs="+", help="clients that push at once")
    parser.add_argument("--load-seconds", type=float, help="how long they do")
    parser.add_argument("--full", action="store_true", help="up to the sizes of `make bench-full`")
    arguments = parser.parse_args(words)
    for name, value in (FULL if arguments.full else SHORT).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if any(size < 1 for size in (*arguments.sizes, *arguments.scale, *arguments.load_clients)):
        parser.error("sizes and numbers of clients are at least 1")
    if arguments.turns is not None and arguments.turns < 1:
        parser.error("--turns is at least 1")
    return arguments


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
