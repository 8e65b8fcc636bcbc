"""The worked example: many processes record at once, nothing is lost, and all of it travels."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import msglog
from porcelain.surroundings import ProcessSurroundings

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "provenance.py"
WORKERS, CALCULATIONS = 8, 6


def test_every_event_of_eight_processes_arrives(tmp_path: Path) -> None:
    run(tmp_path, "record", "lab", f"--workers={WORKERS}", f"--calculations={CALCULATIONS}")
    around = ProcessSurroundings({"HOME": str(tmp_path)})
    msglog.init(tmp_path / "server").close()
    with msglog.open(tmp_path / "lab", surroundings=around) as book:
        book.add_remote("origin", str(tmp_path / "server"))
        pushed = {one.log: one.pushed for one in book.push()}
        root = book.log("provenance").root
        assert [*book.verify()] == []
    assert pushed["provenance"] == WORKERS * CALCULATIONS * 4
    with msglog.open(tmp_path / "server") as server:
        assert server.log("provenance").root == root
        events = {entry.id: entry for entry in server.log("provenance")}
    calculations = Counter(str(entry.meta["calculation"]) for entry in events.values())
    assert set(calculations.values()) == {4}
    assert len(calculations) == WORKERS * CALCULATIONS
    for entry in events.values():
        if entry.reply_to is None:
            assert entry.meta["state"] == "created"
        else:
            before = events[entry.reply_to]
            assert before.meta["calculation"] == entry.meta["calculation"]
            assert before.microseconds < entry.microseconds


def test_a_result_is_traced_to_its_inputs(tmp_path: Path) -> None:
    run(tmp_path, "record", "lab", "--workers=1", "--calculations=2")
    lines = run(tmp_path, "trace", "lab").splitlines()
    assert [line.split() for line in lines[:4]] == [
        [state, "2"] for state in ("created", "submitted", "running", "finished")
    ]
    assert [line.split()[3] for line in lines[5:]] == [
        "finished",
        "running",
        "submitted",
        "created",
    ]
    assert "input.structure=" in lines[-1]


def test_a_folder_without_events_is_one_line(tmp_path: Path) -> None:
    msglog.init(tmp_path / "empty").close()
    for folder, why in (("nope", "there is no repository in"), ("empty", "there is no log")):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "trace", folder],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"provenance: {why}")
        assert done.stderr.count("\n") == 1


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
