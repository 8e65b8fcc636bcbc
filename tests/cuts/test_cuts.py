"""A sample of the full run (`make cuts`): sessions cut and damaged, over a real sshd and below SSH."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from msglog.key import Key
from tests.cuts import database, plan, resumption, trial, wire
from tests.cuts.__main__ import measure
from tests.cuts.fault import CHANGES, CUTS, HARMLESS, Fault
from tests.cuts.rig import SSHD_LINES, Held, Rig, Run
from tests.cuts.trial import Trial
from tests.postgres.databases import Databases
from tests.ssh.sshd import Sshd, running_sshd

SEED = 20260601
IN_MEMORY = 300
BETWEEN = 20
LARGE = 16_000
"""Nearly four batches, of which three are durable when the fourth is cut."""

QUICK = ("fin", "rst", "flip", "drop", "duplicate", *HARMLESS[1:])


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd"), extra=SSHD_LINES) as running:
        yield running


@pytest.fixture(scope="module")
def rig(sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with closing(Rig(sshd, tmp_path_factory.mktemp("rig"))) as made:
        yield made


def test_a_sample_over_sshd(rig: Rig) -> None:
    sizes = measure(rig)
    trials = [one for one in plan.sample(sizes, SEED, 1, kinds=QUICK) if one.way == "builtin"]
    trials += random.Random(SEED).sample(list(plan.every_byte(sizes, SEED)), 10)
    trials.append(
        Trial("openssh", "push", Fault("rst", "up", sizes["openssh", "push", "up"] - 500))
    )
    trials.append(Trial("builtin", "pull", Fault("stall", "down", 3000)))
    checked: set[str] = set()
    results = {str(one): trial.attempt(rig, one, checked) for one in trials}
    assert {name: result.problems for name, result in results.items() if result.problems} == {}
    assert {result.outcome for result in results.values()} >= {"status 4", "completed"}
    assert checked


def test_a_sample_below_ssh() -> None:
    trials = random.Random(SEED).sample(list(wire.every_byte(SEED)), IN_MEMORY)
    results = {str(one): wire.attempt(one) for one in trials}
    assert {name: result.problems for name, result in results.items() if result.problems} == {}
    assert {result.outcome for result in results.values()} >= {"status 4", "status 5", "completed"}
    assert {one.fault.kind for one in trials} <= {*CUTS, *CHANGES}


def test_a_sample_between_the_server_and_its_database(tmp_path: Path, databases: Databases) -> None:
    with closing(database.Rig(databases.server, databases.fresh(), tmp_path)) as rig:
        sizes = database.measure(rig)
        trials = random.Random(SEED).sample(database.every_byte(sizes, SEED), BETWEEN)
        last = Fault("stall", "down", sizes["down"] - 200)
        trials.append(Trial(database.WAY, "push", last))
        results = {str(one): rig.attempt(one.fault) for one in trials}
    assert {name: result.problems for name, result in results.items() if result.problems} == {}
    assert "completed" in {result.outcome for result in results.values()}


@pytest.mark.parametrize(
    ("run", "harmless"),
    [
        (Run(4, "", "msglog: error: lost.\n"), True),
        (Run(0, "", "msglog: error: lost.\n"), False),
        (Run(70, "", "msglog: error: this is a bug.\n"), False),
        (Run(4, "", "msglog: error: lost.\nTraceback\n"), False),
        (Run(4, "", ""), False),
        (Run(4, "", "msglog: error: lost.\n", hung=True), False),
    ],
)
def test_what_is_complained_of(run: Run, harmless: bool) -> None:  # noqa: FBT001 - a parameter
    assert trial.complaints(run, harmless=harmless)


def test_what_is_wrong_with_two_sides(rig: Rig) -> None:
    before = rig.before["push"]
    more = frozenset({Key(b"\x00" * 40)})
    none: frozenset[Key] = frozenset()
    everything = rig.everything
    for now in (
        Held(none, before.theirs, none, none, none),
        Held(before.mine | more, before.theirs, none, none, none),
        Held(before.mine, none, none, none, none),
        Held(before.mine, before.theirs | more, none, none, none),
        Held(before.mine, before.theirs, none, everything, none),
        Held(before.mine, before.theirs, none, none, more),
    ):
        assert trial.wrong(rig, before, now, "")
    assert trial.wrong(rig, before, before, "") == []
    assert trial.wrong(rig, before, before, "push")


@pytest.fixture(scope="module")
def large(sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with closing(Rig(sshd, tmp_path_factory.mktemp("large"), new=LARGE)) as made:
        yield made


@pytest.mark.parametrize("command", ["push", "pull", "clone"])
def test_nine_tenths_are_not_sent_again(large: Rig, command: str) -> None:
    found = resumption.resume(large, "builtin", command)
    assert found.thrifty, found
    assert found.second < found.whole / 2
