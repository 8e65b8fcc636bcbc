"""What the commands that talk to a remote share: how they go on, and when they must not."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from types import ModuleType

import pytest

from msglog.account.access import InvalidPatternError
from msglog.errors import MsglogError, NotAuthorisedError
from msglog.repository import Repository
from msglog.wire.batch import Item
from msglog.wire.request_line import EarlyRequest
from plumbing.pushing import Pusher
from plumbing.session import Session
from porcelain import fetch, pull, push
from porcelain.exchange import Exchange
from tests.plumbing.peers import START, add, message
from tests.porcelain.world import World


def test_a_refusal_that_ends_the_session_ends_the_command(world: World) -> None:
    def revoke(_: Item) -> None:
        world.rights.revoked = True

    world.server.repository.create_log("other", time=START)
    with_two = Repository.open(world.folder / ".msglog")
    with_two.create_log("other", time=START)
    for number, log in enumerate(("main", "other")):
        add(with_two, message(number), log=log)
    with_two.close()
    world.server.policy = revoke
    with pytest.raises(NotAuthorisedError):
        push.run(Namespace(remote="origin", logs=[], dry_run=False), world.context)
    assert world.server.repository.log("other").count == 0


def test_a_pull_says_what_was_fetched_before(world: World) -> None:
    everything = Namespace(remote="origin", logs=[], dry_run=False, since=None, whole=False)
    add(world.server.repository, message(1), message(2))
    fetch.run(everything, world.context)
    add(world.server.repository, message(3))
    world.forget_output()
    pull.run(everything, world.context)
    pull.run(everything, world.context)
    assert [line.rpartition(", root")[0] for line in world.out] == [
        "origin main: 1 pulled, 2 fetched before, 3 in all",
        "origin main: 0 pulled, 3 in all",
    ]


def test_what_is_new_to_the_other_side_goes_in_the_order_of_its_size(world: World) -> None:
    ours, theirs = Repository.open(world.folder / ".msglog"), world.server.repository
    for number, log in enumerate(["p-large", "p-large", "p-large", "main", "q-less", "q-less"]):
        for repository, change in ((ours, ""), (theirs, "-there")):
            name = log if log == "main" else log + change
            if name not in [one.name for one in repository.logs()]:
                repository.create_log(name, time=START)
        add(theirs, message(number), log=log if log == "main" else f"{log}-there")
        add(ours, message(10 + number), log=log)
    ours.close()
    arguments = Namespace(remote="origin", logs=[], dry_run=False)
    push.run(arguments, world.context)
    assert [line.split()[1] for line in world.out] == ["main:", "q-less:", "p-large:"]
    world.forget_output()
    fetch.run(arguments, world.context)
    assert [line.split()[1] for line in world.out][-2:] == ["q-less-there:", "p-large-there:"]


def test_all_that_the_remote_lists_is_asked_for_at_once(world: World) -> None:
    for number in range(8):
        world.server.repository.create_log(f"log{number}", time=START)
        add(world.server.repository, message(number), log=f"log{number}")
    sessions: list[Session] = []
    with pytest.MonkeyPatch.context() as patch:
        whole = Exchange.open

        def opened(one: Exchange, early: Callable[[], Sequence[EarlyRequest]]) -> Session:
            sessions.append(whole(one, early))
            return sessions[0]

        patch.setattr(Exchange, "open", opened)
        fetch.run(Namespace(remote="origin", logs=[], dry_run=False), world.context)
    assert sessions[0].traffic.round_trips == 2


def test_while_the_remote_still_works_on_a_log_the_next_is_prepared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Repository.open(world.folder / ".msglog")
    ours.create_log("other", time=START)
    add(ours, message(1), message(2))
    add(ours, message(3), log="other")
    ours.close()
    prepared: list[Pusher] = []

    def prepare(pusher: Pusher) -> None:
        prepared.append(pusher)

    monkeypatch.setattr(Pusher, "prepare", prepare)
    push.run(Namespace(remote="origin", logs=[], dry_run=False), world.context)
    assert [one._tracking.log for one in prepared] == ["main"]
    assert world.server.repository.log("main").count == 2


@pytest.fixture
def labs(world: World) -> World:
    """Two logs of a lab on each side, and one of each that the other has not."""
    ours = Repository.open(world.folder / ".msglog")
    for repository, own in ((ours, "here"), (world.server.repository, "there")):
        for number, log in enumerate((f"lab/{own}", "lab/both", f"office/{own}")):
            repository.create_log(log, time=START)
            add(repository, message(number + (3 if own == "here" else 0)), log=log)
    ours.close()
    return world


@pytest.mark.parametrize(
    ("logs", "pulled", "pushed"),
    [
        (["lab/*"], ["lab/both", "lab/there"], ["lab/both", "lab/here"]),
        (["*/*ere"], ["lab/there", "office/there"], ["lab/here", "office/here"]),
        (["main", "lab/b*"], ["main", "lab/both"], ["main", "lab/both"]),
        (["lab/both", "lab/b*", "lab/b*"], ["lab/both"], ["lab/both"]),
    ],
)
def test_logs_are_meant_by_patterns(
    labs: World, logs: list[str], pulled: list[str], pushed: list[str]
) -> None:
    def logs_said(command: ModuleType, **more: object) -> list[str]:
        labs.forget_output()
        words = {"since": None, "whole": False, **more}
        command.run(Namespace(remote="origin", logs=logs, **words), labs.context)
        return sorted(line.split()[1].rstrip(":") for line in labs.out)

    assert logs_said(push, dry_run=True) == sorted(pushed)
    assert logs_said(push, dry_run=False) == sorted(pushed)
    both = sorted({*pushed, *pulled} | ({"lab/here"} & set(pushed)))
    assert logs_said(pull, dry_run=True) == both
    assert logs_said(fetch, dry_run=False) == both
    assert logs_said(pull, dry_run=False) == both
    assert labs.said == []


def test_a_name_beside_a_pattern_has_to_be_there_and_a_pattern_that_means_nothing_is_told(
    labs: World,
) -> None:
    def run(command: ModuleType, *logs: str) -> None:
        words = {"dry_run": False, "since": None, "whole": False}
        command.run(Namespace(remote="origin", logs=list(logs), **words), labs.context)

    for command in (pull, push):
        with pytest.raises(MsglogError, match="nowhere"):
            run(command, "nowhere", "lab/*")
    with pytest.raises(InvalidPatternError):
        run(pull, "a b*")
    assert labs.out == []
    run(pull, "x*")
    run(push, "x*")
    assert labs.out == []
    assert labs.said == ["msglog: origin has no log that is meant", "msglog: no log is meant"]
