"""Several real sshds over one database: what is made on one is there on the others at once."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.high_availability.front_end import FrontEnd, front_end, make_person, make_pusher
from tests.high_availability.pushers import Done, Pusher, run
from tests.postgres.databases import Databases

FRONTS = 3
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fronts(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[FrontEnd]]:
    address = databases.fresh()
    folder = tmp_path_factory.mktemp("fronts")
    with ExitStack() as stack:
        yield [
            stack.enter_context(front_end(folder / str(number), address))
            for number in range(FRONTS)
        ]


def do(pusher: Pusher, *words: str) -> Done:
    return run(pusher.command(*words))


def told(pusher: Pusher, *words: str) -> str:
    command = pusher.command(*words)
    done = subprocess.run(
        command.words, cwd=command.folder, env=command.environment, check=True, capture_output=True
    )
    return done.stdout.decode()


def test_who_is_let_in_on_one_is_let_in_on_all_and_so_is_who_is_not(
    fronts: list[FrontEnd],
) -> None:
    first, second, third = fronts
    user = make_person(first, "ann")
    ann = make_pusher(user, first.address(user))
    at_second, at_third = second.address(user), third.address(user)
    # What one took, the next one has.
    assert do(ann, "add", "-q", "by way of the first").status == 0
    assert do(ann, "push", "-q", "origin").status == 0
    assert told(ann, "ls-remote", at_second) == told(ann, "rev-parse", "main").strip() + (
        "\trefs/logs/main\n"
    )
    # What is taken away on the last one is gone on the others.
    third.admin("user", "set-role", "ann", "none")
    assert [do(ann, "ls-remote", url).status for url in ("origin", at_second)] == [3, 3]
    second.admin("user", "set-role", "ann", "write")
    assert [do(ann, "ls-remote", url).status for url in ("origin", at_third)] == [0, 0]
    first.admin("user", "remove", "ann")
    assert [do(ann, "ls-remote", url).status for url in (at_second, at_third)] == [4, 4]


def test_what_goes_in_by_one_comes_out_by_the_other(fronts: list[FrontEnd], tmp_path: Path) -> None:
    first, second, third = fronts
    user = make_person(first, "carl")
    here = make_pusher(user, first.address(user))
    there = make_pusher(user, second.address(user), tmp_path)
    assert do(here, "add", "-q", "by the first host").status == 0
    assert do(here, "push", "-q").status == 0
    assert do(there, "pull", "-q").status == 0
    assert do(there, "add", "-q", "by the second host").status == 0
    assert do(there, "push", "-q").status == 0
    assert do(here, "pull", "-q").status == 0
    listed = told(here, "list", "--json")
    assert told(there, "list", "--json") == listed
    assert all(f"by the {name} host" in listed for name in ("first", "second"))
    assert do(here, "clone", "-q", third.address(user), "copy").status == 0
    assert told(here, "-C", "copy", "list", "--json") == listed
    second.admin("user", "set-role", "carl", "read")
    assert do(here, "add", "-q", "no more").status == 0
    assert [do(here, word).status for word in ("push", "pull")] == [3, 0]
    audit = third.admin("audit", "--json", "--user", "carl").splitlines()
    acts = [(one["operation"], one["result"]) for one in map(json.loads, audit)]
    assert acts.count(("push", "ok")) == 2
    assert ("push", "not-authorised") in acts


def own_network() -> list[str]:
    """Return the words that start a program in a network of its own; none where that is not allowed."""
    program = shutil.which("unshare")
    if program is None or os.geteuid() != 0:
        return []
    tried = subprocess.run([program, "--net", "true"], capture_output=True, check=False)
    return [program, "--net"] if tried.returncode == 0 else []


def test_front_ends_need_nothing_of_each_other_but_the_database(
    fronts: list[FrontEnd], tmp_path: Path
) -> None:
    first = fronts[0]
    user = make_person(first, "beth")
    beth = make_pusher(user, first.address(user))
    assert do(beth, "add", "-q", "by way of the first").status == 0
    assert do(beth, "push", "-q", "origin").status == 0
    store = (first.account / "account.address").read_text().strip()
    words = [*own_network(), sys.executable, "-m", "tests.high_availability.isolated"]
    done = subprocess.run(
        [*words, str(tmp_path), store, str(user.home)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    seen = json.loads(done.stdout)
    assert [seen[name][0] for name in ("pull", "add", "push")] == [0, 0, 0]
    if own_network():
        assert seen["interfaces"] == ["lo"]
    assert told(beth, "ls-remote", "origin").split("\t")[0] == seen["root"][1]
