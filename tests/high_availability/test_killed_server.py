"""One PostgreSQL that dies while clients push over a real sshd, with and without somebody who has a copy."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.high_availability.campaign import bodies, unsound
from tests.high_availability.front_end import front_end, make_person, make_pusher, make_pushers
from tests.high_availability.owner import family, send, wait_for
from tests.high_availability.postgresql import (
    REPLICATED,
    Server,
    await_waiting,
    following,
    running_server,
)
from tests.high_availability.pushers import Crowd, Done, Pusher, run

CLIENTS = 3
KILLS = 2
SECONDS = 120.0


def test_what_was_acknowledged_outlives_the_server(tmp_path: Path) -> None:
    with running_server() as server, front_end(tmp_path, server.address()) as front:
        pushers = make_pushers([front], CLIENTS)
        crowd = Crowd(pushers, "killed")
        crowd.start()
        try:
            for kill in range(1, KILLS + 1):
                wait_for(
                    "nobody pushes",
                    lambda enough=kill * CLIENTS: len(crowd.tally.pushes) >= enough,  # type: ignore[misc]
                    SECONDS,
                )
                server.kill()
                server.start_again()
        finally:
            crowd.finish()
        assert crowd.tally.failures == []
        assert unsound(front) == []
        judge = make_person(front, "judge", "read")
        reader = make_pusher(judge, front.address(judge))
        assert run(reader.command("pull", "-q", "origin")).status == 0
        assert run(reader.command("verify", "-q")).status == 0
        assert bodies(reader) >= crowd.tally.acknowledged
        assert len(crowd.tally.acknowledged) > KILLS * CLIENTS


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    with running_server(REPLICATED) as primary, following(primary) as standby:
        yield primary, standby


class Pushing:
    """A push in a thread of its own."""

    def __init__(self, pusher: Pusher) -> None:
        self._done: list[Done] = []
        command = pusher.command("push", "-q", "origin")
        self._thread = threading.Thread(target=lambda: self._done.append(run(command)))
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return bool(self._done)

    def end(self) -> Done:
        self._thread.join(SECONDS)
        return self._done[0]


def test_what_is_there_but_on_one_server_alone_is_not_acknowledged_to_who_asks_again(
    pair: tuple[Server, Server], tmp_path: Path
) -> None:
    """A push whose server dies before the standby has it: the same push again finds it there."""
    primary, standby = pair
    with front_end(tmp_path, primary.address()) as front:
        user = make_person(front, "ann")
        ann = make_pusher(user, front.address(user))
        assert run(ann.command("add", "-q", "-m", "on one server alone")).status == 0
        with standby.frozen():
            first = Pushing(ann)
            await_waiting(primary)
            send(family(front.sshd.pid)[1:], signal.SIGKILL)  # nobody there tries again
            primary.kill()
            assert first.end().status == 4
            primary.start_again()
            second = Pushing(ann)
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            wait_for(
                "the push neither waits nor ends",
                lambda: second.is_done or bool(primary.query(waits)),
                SECONDS,
            )
            assert not second.is_done
        assert second.end().status == 0
