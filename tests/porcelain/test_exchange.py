"""What the commands that talk to a remote share: how they go on, and when they must not."""

from argparse import Namespace
from collections.abc import Callable, Sequence

import pytest

from msglog.errors import NotAuthorisedError
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
