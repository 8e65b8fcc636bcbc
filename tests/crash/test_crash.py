"""A short run of the attacks, what they found before, and that they find what is broken.

All of it runs in processes of its own: a tracer waits for any child.
"""

import multiprocessing
import os
import random
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.crash.attack import Attacker, Known
from tests.crash.calls import Call
from tests.crash.case import Case
from tests.crash.disk import WAYS, History
from tests.crash.operations import OPERATIONS, Operation
from tests.crash.site import Site
from tests.crash.striking import Striking
from tests.crash.tracing import Kill, Observer, run

ROOT = Path(__file__).parents[2]
CONTEXT = multiprocessing.get_context("fork")

NO_SYNC = """
import os
from msglog.store.sqlite import SqliteStore
os.fsync = lambda _: None
identify = SqliteStore._identify
def careless(self):
    identify(self)
    self._link.connection.execute("PRAGMA synchronous = OFF")
SqliteStore._identify = careless
"""
IN_PLACE = """
import msglog.config_change
msglog.config_change._replace = lambda path, data: path.write_bytes(data)
"""
UNTIDY = """
import msglog.config_change
msglog.config_change._remove_unfinished = lambda _: None
"""


def apart(work: Callable[[], Any]) -> Any:
    """Return what a function returns in a process of its own."""
    queue = CONTEXT.SimpleQueue()

    def answer() -> None:
        try:
            queue.put((work(), ""))
        except BaseException:  # noqa: BLE001 - it is shown below
            queue.put((None, traceback.format_exc()))

    process = CONTEXT.Process(target=answer)
    process.start()
    result, error = queue.get()
    process.join()
    assert not error, error
    return result


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Attacker:
    attacker = Attacker(Site(tmp_path_factory.mktemp("attacked")), OPERATIONS)
    apart(attacker.prepare)
    return attacker


def case(operation: str, kind: str = "", seed: int = 1) -> Case:
    return Case(0, operation, kind, 0.0, random.Random(seed))


def kill_where(
    one: Attacker, known: Known, operation: Operation, fits: Callable[[Call], bool]
) -> str:
    """Kill a client at the first call that fits; return what does not hold then."""

    class At(Striking):
        def decide(self, call: Call) -> Kill | object:  # type: ignore[override]
            if fits(call) and not self.struck:
                self.struck = True
                return Kill(frozenset({"client"}))
            return super().decide(call)

    one.site.restore()
    drawn = case(operation.name)
    observer = At(one.site, "", 0, drawn)
    verdict = one.judged(drawn, operation, known, observer, frozenset({0}))
    assert observer.struck
    return verdict.fault


def test_forty_kills() -> None:
    words = [sys.executable, "-m", "tests.crash", "--seed", "1", "--kills", "40"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 faults" in done.stdout


def test_attacks_where_the_account_is_in_postgresql() -> None:
    words = [sys.executable, "-m", "tests.crash", "--store", "postgres", "--workers", "1"]
    operations = ("push", "pull-near", "user-add", "migrate-to-store")
    done = subprocess.run(
        [*words, "--seed", "1", "--kills", "6", "--operation", *operations],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 faults" in done.stdout


@pytest.mark.parametrize("name", ["init", "admin-init", "clone-near", "config-global"])
def test_what_was_made_outlasts_a_power_failure(one: Attacker, name: str) -> None:
    """The names of new folders and files were never synced."""

    def work() -> list[str]:
        known = one.learn(OPERATIONS[name])
        total = len(known.history.changes)
        found = []
        for way in WAYS:
            one.site.restore()
            both = frozenset({"client", "server"})
            found.append(one.cut_power(case(name), known, total, way, both).fault)
        return found

    assert apart(work) == [""] * len(WAYS)


def test_a_clone_that_is_killed_while_it_makes_its_repository(one: Attacker) -> None:
    """The remote was written down after the store was there: neither clone nor pull went on."""

    def work() -> list[str]:
        operation = OPERATIONS["clone-near"]
        known = one.learn(operation)
        points: list[Callable[[Call], bool]] = [
            lambda call: call.name == "fdatasync" and "store.db.new-" in call.path,
            lambda call: call.name == "rename" and "store.db.new-" in call.path,
            lambda call: call.name == "unlink" and "store.db.new-" in call.path,
            lambda call: call.name == "pwrite64" and call.path.endswith("store.db-wal"),
            lambda call: call.name == "write" and "config.toml" in call.path,
            lambda call: call.name == "rename" and "config.toml" in call.path,
        ]
        return [kill_where(one, known, operation, fits) for fits in points]

    assert apart(work) == [""] * 6


def test_the_tracking_refs_of_a_remote_follow_its_name(one: Attacker) -> None:
    """The name was changed first, and the same again then found nothing to rename."""

    def work() -> str:
        operation = OPERATIONS["remote-rename"]
        known = one.learn(operation)
        return kill_where(
            one, known, operation, lambda call: call.name == "fdatasync" and "-wal" in call.path
        ) or kill_where(
            one, known, operation, lambda call: call.name == "rename" and "config" in call.path
        )

    assert apart(work) == ""


@pytest.mark.parametrize(
    ("name", "patch", "way", "said"),
    [
        ("add", NO_SYNC, "nothing", "lacks what was acknowledged"),
        ("config-set", NO_SYNC, "nothing", "lacks what was acknowledged"),
        ("config-set", NO_SYNC, "names", ""),
    ],
)
def test_a_missing_fsync_is_found(
    one: Attacker, name: str, patch: str, way: str, said: str
) -> None:
    def work() -> str:
        operation = replace(OPERATIONS[name], patch=patch)
        known = one.learn(operation)
        one.site.restore()
        total = len(known.history.changes)
        return one.cut_power(case(name), known, total, way, frozenset({"client"})).fault

    fault = apart(work)
    assert said in fault
    assert fault


@pytest.mark.parametrize(
    ("patch", "name", "said"),
    [(IN_PLACE, "write", "is neither as before nor as after"), (UNTIDY, "rename", "leaves")],
)
def test_a_careless_writer_is_found(one: Attacker, patch: str, name: str, said: str) -> None:
    def work() -> str:
        known = one.learn(OPERATIONS["config-set"])
        operation = replace(OPERATIONS["config-set"], patch=patch)
        exec(UNTIDY if patch is UNTIDY else "", {})  # the same again is as careless
        return kill_where(
            one, known, operation, lambda call: call.name == name and "config.toml" in call.path
        )

    assert said in apart(work)


@pytest.mark.parametrize(
    ("way", "left"),
    [
        ("nothing", {"old": b"old", "synced": b"whole", "moved": b"m" * 2000}),
        (
            "all",
            {
                "old": b"new",
                "synced": b"whole",
                "unsynced": b"u" * 2000,
                "nameless": b"n",
                "renamed": b"m" * 2000,
            },
        ),
        ("data", {"old": b"new", "synced": b"whole", "moved": b"m" * 2000}),
        (
            "names",
            {
                "old": b"old",
                "synced": b"whole",
                "unsynced": bytes(2000),
                "nameless": b"n",
                "renamed": b"m" * 2000,
            },
        ),
    ],
)
def test_what_a_power_failure_leaves(tmp_path: Path, way: str, left: dict[str, bytes]) -> None:
    site = Site(tmp_path)
    site.folder.mkdir()
    (site.folder / "old").write_bytes(b"old")
    (site.folder / "moved").write_bytes(b"m" * 2000)

    def program() -> int:
        root = str(site.folder)
        folder = os.open(root, os.O_RDONLY)
        for name, data, synced, named in [
            ("synced", b"whole", True, True),
            ("old", b"new", False, False),
            ("unsynced", b"u" * 2000, False, False),
            ("nameless", b"n", True, False),
        ]:
            descriptor = os.open(f"{root}/{name}", os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(descriptor, data)
            if synced:
                os.fsync(descriptor)
            if named:
                os.fsync(folder)
            os.close(descriptor)
        os.rename(f"{root}/moved", f"{root}/renamed")
        return 0

    def work() -> None:
        history = History(site)
        assert run(program, history).status == 0
        count = len(history.changes)
        history.rebuild(count, way, frozenset({"client"}), random.Random(1))

    apart(work)
    assert {path.name: path.read_bytes() for path in site.folder.iterdir()} == left


def test_a_torn_write_is_of_whole_sectors(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.folder.mkdir()
    (site.folder / "file").write_bytes(b"o" * 4096)

    def program() -> int:
        descriptor = os.open(site.folder / "file", os.O_WRONLY)
        os.pwrite(descriptor, b"n" * 3000, 700)
        os.close(descriptor)
        return 0

    def work() -> set[bytes]:
        history = History(site)
        run(program, history)
        seen = set()
        for seed in range(40):
            history.rebuild(1, "torn", frozenset({"client"}), random.Random(seed))
            seen.add((site.folder / "file").read_bytes())
        return seen

    seen = apart(work)
    assert len(seen) > 20
    for data in seen:
        assert len(data) == 4096
        assert data[:700] + data[3700:] == b"o" * (700 + 396)
        sectors = [data[700:1024], *[data[at : at + 512] for at in range(1024, 3584, 512)]]
        assert all(len(set(sector)) == 1 for sector in [*sectors, data[3584:3700]])


def test_every_process_is_killed_with_the_client() -> None:
    """Nothing that a test has started outlives it."""

    class Hangs(Observer):
        def decide(self, call: Call) -> Kill | object:  # type: ignore[override]
            if call.role == "server":
                return Kill(frozenset({"client", "server"}))
            return super().decide(call)

    def program() -> int:
        return subprocess.run(["/bin/sh", "-c", "read line"], check=False).returncode

    def work() -> tuple[int | None, set[str]]:
        ending = run(program, Hangs())
        return ending.status, ending.killed

    assert apart(work) == (-9, {"client", "server"})
