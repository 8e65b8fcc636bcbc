"""`make scaling`: the figures of docs/scaling.md, on this machine."""

import argparse
import tempfile
from pathlib import Path

from tests.bench.machine import describe
from tests.bench.msglog import compile_all
from tests.scaling import growth, throughput, weight, writers

PARTS = ("throughput", "writers", "weight", "growth")


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.scaling", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--front-ends", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument(
        "--store", action="append", choices=writers.STORES, help="for writers, and growth"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 100_000, 200_000])
    parser.add_argument("--pushes", type=int, default=100, help="into a store of each size, twice")
    parser.add_argument("--short", type=int, default=10_000)
    parser.add_argument("--long", type=int, default=10_000_000)
    arguments = parser.parse_args()
    parts = arguments.part or PARTS
    compile_all()
    with tempfile.TemporaryDirectory(prefix="msglog-scaling-") as name:
        folder = Path(name)
        for what, value in describe(folder).items():
            say(f"{what}: {value}")
        if "throughput" in parts:
            say(throughput.HEAD)
            for rate in throughput.measure(
                folder, arguments.front_ends, arguments.clients, arguments.seconds
            ):
                say(rate.line())
        if "writers" in parts:
            for line in writers.measure(
                folder, arguments.writers, arguments.seconds / 4, arguments.store or writers.STORES
            ):
                say(line)
        if "weight" in parts:
            for line in weight.measure(folder / "weight", arguments.sizes, arguments.pushes):
                say(line)
        if "growth" in parts:
            stores = [
                store for store in growth.STORES if store in (arguments.store or growth.STORES)
            ]
            for line in growth.measure(folder, (arguments.short, arguments.long), stores):
                say(line)


if __name__ == "__main__":
    main()
