"""The long run: `python -m tests.model --steps 1000000 --seed 1`, or a failure once more.

A failure is printed with the world and the steps from which it repeats, after all steps were left
out that it does without: `python -m tests.model --world NUMBER --trace 'add:1 visit:2'`.
"""

import argparse
import multiprocessing
import sys
import time

from tests.model.driver import Failure, Step, Tally, play, run, shrink

PROCESSES = 2


def _say(text: str) -> None:
    print(text, flush=True)


def _work(part: tuple[int, int]) -> tuple[Tally, Failure | None]:
    seed, steps = part
    tally = Tally()
    failure = run(seed, steps, tally, _say)
    if failure is not None:
        _say(f"seed {seed}: world {failure.world} fails:")
        _show(failure)
        failure = shrink(failure, _say)
    return tally, failure


def _show(failure: Failure) -> None:
    trace = " ".join(f"{rule}:{number}" for rule, number in failure.steps)
    _say(f"{failure.why}\npython -m tests.model --world {failure.world} --trace '{trace}'")


def _parse(trace: str) -> list[Step]:
    steps = [word.partition(":") for word in trace.split()]
    return [(rule, int(number)) for rule, _, number in steps]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model")
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--world", type=int)
    parser.add_argument("--trace", type=_parse, default=[])
    arguments = parser.parse_args()
    if arguments.world is not None:
        failure = play(arguments.world, arguments.trace)
        if failure is not None:
            _show(failure)
        return 0 if failure is None else 1
    started = time.monotonic()
    parts = [
        (PROCESSES * arguments.seed + number, -(-arguments.steps // PROCESSES))
        for number in range(PROCESSES)
    ]
    total, failures = Tally(), 0
    with multiprocessing.Pool(PROCESSES) as pool:
        for tally, failure in pool.imap_unordered(_work, parts):
            total.add(tally)
            if failure is not None:
                failures += 1
                _show(failure)
    _say(f"seed {arguments.seed}: {total.summary()}; {time.monotonic() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
