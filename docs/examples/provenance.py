"""Records what many processes compute, and from what, in one logbook; docs/guides/provenance.md.

    python provenance.py record DIR --workers 8 --calculations 25
    python provenance.py trace DIR

Each worker runs calculations one after the other. An event is a message: what happened is its text,
which calculation and which data are its meta, and `reply_to` leads to the event before it.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
from collections import Counter
from typing import TYPE_CHECKING

import msglog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = "provenance"
STATES = ("created", "submitted", "running", "finished")


def digest(*values: object) -> str:
    """Return a name for data: the same for the same data."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def record_calculation(book: msglog.Logbook, worker: int, number: int) -> msglog.Entry:
    """Run one calculation, and record each of its states as it is reached."""
    calculation = f"w{worker}-c{number}"
    structure, parameters = digest("structure", worker), digest("parameters", number)
    result = digest("energy", structure, parameters)
    last: msglog.Entry | None = None
    for state in STATES:
        meta: dict[str, str | int | float | bool] = {"calculation": calculation, "state": state}
        if state == "created":
            meta |= {"code": "pw.x", "input.structure": structure, "input.parameters": parameters}
        if state == "finished":
            meta |= {"exit_status": 0, "output.energy": result}
        last = book.add(
            f"{calculation} {state}",
            log=LOG,
            tags=["calculation", state],
            meta=meta,
            reply_to=last,
            author=f"worker{worker}",
        )
    assert last is not None
    return last


def work(folder: str, worker: int, calculations: int) -> None:
    """Be one of the processes: each opens the repository for itself."""
    with msglog.open(folder) as book:
        for number in range(calculations):
            record_calculation(book, worker, number)


def record(folder: str | Path, workers: int, calculations: int) -> None:
    """Let many processes record at once."""
    with msglog.init(folder) as book:
        if LOG not in book.logs():
            book.create_log(LOG)
    processes = [
        multiprocessing.Process(target=work, args=(str(folder), worker, calculations))
        for worker in range(workers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a worker ended with status {process.exitcode}")


def history(book: msglog.Logbook, event: msglog.Entry) -> Iterator[msglog.Entry]:
    """Yield an event and those that led to it, the newest first."""
    while True:
        yield event
        if event.reply_to is None:
            return
        event = book.get(event.reply_to)


def trace(folder: str | Path) -> None:
    """Print how many calculations reached which state, and the history of the newest result."""
    with msglog.open(folder) as book:
        states = Counter(str(event.meta["state"]) for event in book.log(LOG).tag("calculation"))
        for state in STATES:
            print(f"{state:10} {states[state]}")
        newest = book.log(LOG).tag("finished").first()
        if newest is None:
            return
        print(f"energy {newest.meta['output.energy']} comes from")
        for event in history(book, newest):
            inputs = [f"{key}={event.meta[key]}" for key in event.meta if key.startswith("input.")]
            print(f"  {event.time:%H:%M:%S} {event.author}: {event.body}", *inputs)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Record and trace what many processes compute.")
    actions = parser.add_subparsers(required=True, dest="action")
    recording = actions.add_parser("record")
    recording.add_argument("folder")
    recording.add_argument("--workers", type=int, default=8)
    recording.add_argument("--calculations", type=int, default=25)
    actions.add_parser("trace").add_argument("folder")
    given = parser.parse_args()
    try:
        if given.action == "record":
            record(given.folder, given.workers, given.calculations)
        else:
            trace(given.folder)
    except msglog.MsglogError as error:
        raise SystemExit(f"provenance: {error}") from None


if __name__ == "__main__":
    main()
