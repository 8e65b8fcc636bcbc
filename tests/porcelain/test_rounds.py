"""`sync --every`: many rounds over a server in memory, and a clock that goes on by being waited for."""

import json
import os
import signal
import tracemalloc
from argparse import Namespace

import pytest

from msglog.account.role import Role
from msglog.errors import NotAuthorisedError
from msglog.repository import Repository, UnknownLogError
from msglog.timestamp import rfc3339
from plumbing.transport.channel import NotLetInError
from porcelain import fetch, sync
from porcelain.schedule import LONGEST_DELAY_SECONDS
from porcelain.settings import load_settings
from tests.plumbing.peers import START, Rights, Server, add, message
from tests.porcelain.world import World


def test_rounds_share_a_session_and_say_only_what_moved(world: World) -> None:
    world.then = {1: lambda: world.add_here(1), 3: lambda: world.add_there(2), 5: lambda: None}
    assert world.run() == -1
    assert len(world.lines) == 1
    assert world.waits == [30.0] * 6
    assert [line.rpartition(", root")[0] for line in world.out] == [
        "origin main: 0 pulled, 1 pushed, 1 in all",
        "origin main: 1 pulled, 0 pushed, 2 in all",
    ]
    assert world.said == []
    assert world.server.repository.log("main").count == 2


def test_rounds_go_by_what_is_shared(world: World) -> None:
    config = world.folder / ".msglog" / "config.toml"
    since = rfc3339(START + 1000 * 100, 0)
    config.write_text(f'{config.read_text()}since = "{since}"\nlogs = ["main"]\n')
    world.server.repository.create_log("other", time=START)
    add(world.server.repository, *map(message, range(103)))
    add(world.server.repository, message(500), log="other")
    world.then = {2: lambda: world.add_there(200), 3: lambda: None}
    assert world.run() == -1
    assert [line.partition(", root")[0] for line in world.out] == [
        "origin main: 3 pulled, 0 pushed, 3 in all",
        "origin main: 1 pulled, 0 pushed, 4 in all",
    ]
    assert len(world.lines) == 1
    world.forget_output()
    world.rounds = 0
    world.then = {1: lambda: world.add_there(300), 2: lambda: None}
    world.run(json=True)
    (line,) = map(json.loads, world.out)
    assert (line["pulled"], line["since"], line["older"]) == (1, since, 100)
    repository = Repository.open(world.folder / ".msglog")
    assert [log.name for log in repository.logs()] == ["main"]
    repository.close()


def test_a_round_takes_in_what_was_fetched_before(world: World) -> None:
    add(world.server.repository, message(1), message(2))
    fetch.run(Namespace(remote="origin", logs=[], dry_run=False), world.context)
    world.forget_output()
    world.then = {2: lambda: None}
    world.run()
    assert [line.rpartition(", root")[0] for line in world.out] == [
        "origin main: 0 pulled, 2 fetched before, 0 pushed, 2 in all",
    ]


def test_verbose_says_each_round_and_json_is_one_object_for_each_that_moved(world: World) -> None:
    world.then = {1: lambda: world.add_here(1), 2: lambda: None}
    world.run(verbose=True)
    assert len(world.out) == 3
    world.forget_output()
    world.rounds = 0
    world.then = {1: lambda: world.add_there(2), 2: lambda: None}
    world.run(json=True)
    (line,) = world.out
    root = world.server.repository.log("main").root.hex()
    assert line == (
        '{"remote": "origin", "log": "main", "time": "2025-06-15T15:06:40.000000+00:00", "pulled": 1,'
        f' "pushed": 0, "refused": 0, "lost": 0, "count": 2, "root": "{root}"}}'
    )


def test_quiet_is_silent(world: World) -> None:
    def outage() -> None:
        world.down = True

    world.then = {1: lambda: world.add_here(1), 2: outage, 4: lambda: None}
    world.run(quiet=True)
    assert world.out == world.said == []


def test_a_session_in_which_nothing_moves_is_left_before_the_server_does(world: World) -> None:
    world.then = {40: lambda: None}
    world.run()
    assert world.rounds == 41
    assert len(world.lines) == 5  # 10 rounds each, and the last one
    assert world.said == []


@pytest.mark.parametrize("every", ["6m", "1h", "5m"])
def test_long_intervals_connect_each_time_and_leave_nothing_open(world: World, every: str) -> None:
    seen: list[int] = []
    world.then = {number: lambda: seen.append(world.open_lines) for number in (1, 2, 3)}
    world.run(every=every)
    assert seen == [0, 0, 0]
    assert len(world.lines) == 4
    assert world.said == []


def test_a_session_that_was_ended_meanwhile_is_opened_anew_without_a_word(world: World) -> None:
    def cut() -> None:
        world.lines[-1].broken = True
        world.add_here(world.rounds)

    world.then = {1: cut, 2: cut, 3: lambda: None}
    world.run()
    assert len(world.lines) == 3
    assert len(world.out) == 2
    assert world.said == []
    assert world.waits == [30.0] * 4


def test_a_remote_that_cannot_be_reached_is_tried_ever_more_rarely(world: World) -> None:
    def outage() -> None:
        world.down = True

    def over() -> None:
        world.add_here(7)
        world.down = False

    world.then = {1: outage, 12: over, 13: lambda: None}
    world.run()
    expected = [4, 8, 16, 32, 64, 128, 256, *[LONGEST_DELAY_SECONDS] * 4]
    assert world.waits[1:12] == pytest.approx(expected)
    assert world.said == [
        "msglog: cannot connect to host port 22 (Connection refused); trying again in 4 s",
        "msglog: origin answers again",
    ]
    assert len(world.out) == 1


def test_those_who_were_cut_off_together_come_back_apart(world: World) -> None:
    chances = iter([b"\x00" * 4, b"\x80\x00\x00\x00"])
    world.down = True
    world.then = {1: lambda: None}
    world.run(random=lambda _: next(chances))
    assert world.waits == [2.0, 6.0]


def test_who_was_let_in_before_waits_for_a_host_that_takes_no_key(world: World) -> None:
    def shut() -> None:
        world.shut = True
        world.lines[-1].broken = True

    def open_again() -> None:
        world.add_here(7)
        world.shut = False

    world.then = {1: shut, 4: open_again, 5: lambda: None}
    assert world.run() == -1
    assert world.waits[1:4] == pytest.approx([4, 8, 16])
    assert world.said == [
        "msglog: the host does not let us in; trying again in 4 s",
        "msglog: origin answers again",
    ]
    assert len(world.out) == 1


def test_who_is_removed_and_let_in_no_more_is_stopped(world: World) -> None:
    def remove() -> None:
        world.rights.revoked = True
        world.shut = True
        world.add_there(5)

    world.then = {2: remove, 9: lambda: None}
    with pytest.raises(NotAuthorisedError):
        world.run()
    assert world.rounds == 2


def test_who_was_never_let_in_is_told_so(world: World) -> None:
    world.shut = True
    with pytest.raises(NotLetInError):
        world.run()
    assert world.waits == []


def test_who_is_removed_is_stopped_at_the_next_round(world: World) -> None:
    def remove() -> None:
        world.rights.revoked = True
        world.add_there(5)

    world.then = {2: remove, 9: lambda: None}
    with pytest.raises(NotAuthorisedError):
        world.run()
    assert world.rounds == 2
    assert len(world.lines) == 2  # the open session, and a new one that has the last word
    assert world.out == []


def test_who_is_given_another_role_goes_on_over_a_new_session(world: World) -> None:
    def change() -> None:
        world.rights.revoked = True  # the session under way is over
        world.rights = Rights("ann", Role.WRITE)
        world.add_here(1)

    world.then = {1: change, 2: lambda: None}
    assert world.run() == -1
    assert len(world.lines) == 2
    assert len(world.out) == 1
    assert world.said == []


def test_a_log_that_is_not_there_ends_it(world: World) -> None:
    world.then = {3: lambda: None}
    with pytest.raises(UnknownLogError):
        world.run("main", "nowhere")
    assert world.rounds == 0


def test_a_refusal_for_one_of_several_logs_ends_it_after_the_round(world: World) -> None:
    world.server.repository.create_log("other", time=START)
    world.rights = Rights("ann", Role.READ)
    world.add_there(1)
    world.then = {3: lambda: None}
    repository = Repository.open(world.folder / ".msglog")
    repository.create_log("other", time=START)
    repository.close()
    assert world.run("main", "other") == 3
    assert world.rounds == 0
    assert len(world.said) == 2
    assert len(world.out) == 1


def test_what_is_held_back_is_said_once_and_stops_nothing(world: World) -> None:
    world.server.policy = lambda item: ("odd", "it is odd") if item.content.uuid[-1] & 1 else None
    world.add_here(1)
    world.then = {2: lambda: world.add_here(2), 3: lambda: world.add_here(3), 5: lambda: None}
    assert world.run() == -1
    assert len(world.said) == 3  # of the first, then of the first and the third
    assert world.said[0] in world.said[1:]
    assert all(line.endswith("refused: it is odd") for line in world.said)
    assert len(world.out) == 1


def test_a_remote_that_is_another_repository_is_noticed_once(world: World) -> None:
    def replace_server() -> None:
        world.server = Server(77)
        world.lines[-1].broken = True

    world.add_here(1)
    world.then = {1: replace_server, 30: lambda: None}
    world.run()
    (line,) = world.said
    assert "is another repository than before" in line
    assert world.server.repository.log("main").count == 1
    settings = load_settings(world.context, str(world.folder / ".msglog"))
    assert settings.remotes()["origin"].repository == (b"\x4d" * 16).hex()


def test_a_session_lives_on_as_long_as_messages_move(world: World) -> None:
    def both() -> None:
        world.add_here(2 * world.rounds)
        world.lines[-1].opened = world.now  # a batch became durable: the server's patience is new

    world.then = dict.fromkeys(range(1, 60), both)
    world.run()
    assert len(world.lines) == 1
    assert len(world.out) == 59


def test_thousands_of_rounds_take_no_more_memory_than_hundreds(world: World) -> None:
    peaks: list[int] = []

    def measure() -> None:
        if not world.rounds % 400:
            world.waits.clear()
            world.sent.clear()
            del world.lines[:-1]
            world.server.words.clear()
            peaks.append(tracemalloc.get_traced_memory()[0])

    world.then = dict.fromkeys(range(1, 2001), measure)
    tracemalloc.start()
    try:
        world.run()
    finally:
        tracemalloc.stop()
    assert len(peaks) == 5
    assert peaks[-1] - peaks[1] < 50_000


def test_sigterm_while_waiting_ends_it_with_success(world: World) -> None:
    world.then = {2: lambda: os.kill(os.getpid(), signal.SIGTERM), 9: lambda: None}
    assert world.run() == 0
    assert world.rounds == 2


def test_sigterm_in_mid_transfer_finishes_the_batch(world: World) -> None:
    add(world.server.repository, *map(message, range(10_000)))
    told: list[bool] = []

    def now() -> int:
        # Asked for at each commit: the first one is under way.
        with_count = Repository.open(world.folder / ".msglog")
        arrived = with_count.log("main").count
        with_count.close()
        if not told and arrived:
            told.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
        return START

    assert world.run(now=now) == 0
    assert told
    repository = Repository.open(world.folder / ".msglog")
    assert repository.log("main").count == 2 * 4096
    repository.close()
    world.then = {}
    world.run()
    repository = Repository.open(world.folder / ".msglog")
    assert repository.log("main").count == 10_000
    repository.close()


def test_an_interrupt_is_passed_on(world: World) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    world.then = {1: interrupt}
    with pytest.raises(KeyboardInterrupt):
        world.run()


def test_a_forecast_is_not_repeated(world: World) -> None:
    arguments = Namespace(remote="origin", logs=[], dry_run=True, every="30s")
    with pytest.raises(sync.RepeatedForecastError):
        sync.run(arguments, world.context)
