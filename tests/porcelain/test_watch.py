"""`watch`, over a server in memory and in a repository of one's own."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import tracemalloc
from argparse import Namespace
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from msglog.account.access import InvalidPatternError
from msglog.account.role import Role
from msglog.config import UnknownRemoteError
from msglog.dataclass import replace
from msglog.errors import NotAuthorisedError
from msglog.horizon import known_horizons
from msglog.refname import InvalidNameError
from msglog.repository import Repository, UnknownLogError
from plumbing.news import CannotWatchError, NothingLeftError
from plumbing.service import Service
from plumbing.transport.channel import ChannelError, NotLetInError
from porcelain import watch
from porcelain.message_json import json_text
from porcelain.reconnection import LONGEST_DELAY_SECONDS
from porcelain.watch import NotARemoteError, NothingToPullError
from tests.plumbing.peers import Rights, add, backup, message
from tests.porcelain.conftest import CommandLine
from tests.porcelain.world import Enough, World


class Scene:
    """What happens while somebody watches, one thing each time that the server waits."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.acts: list[Callable[[], object]] = []
        world.server.idle = self.idle
        world.then = {1000: lambda: None}

    def idle(self, service: Service) -> None:
        if not self.acts:
            raise Enough
        self.acts.pop(0)()
        service.look(at_last=True)

    def run(
        self,
        *words: str,
        newest: int = 0,
        pull: bool = False,
        style: str | None = "oneline",
        **changes: Any,
    ) -> int:
        remote, *logs = words or ("origin",)
        arguments = Namespace(
            remote=remote, logs=logs, max_count=newest, pull=pull, oneline=False, format=style
        )
        try:
            return watch.run(arguments, replace(self.world.context, **changes))
        except Enough:
            return -1

    def add(self, *numbers: int, log: str = "main") -> Callable[[], object]:
        repository = self.world.server.repository
        return lambda: add(repository, *map(message, numbers), log=log)

    def cut(self) -> None:
        self.world.lines[-1].broken = True

    @property
    def bodies(self) -> list[int]:
        """The numbers of the messages that were printed."""
        lines = [line for line in self.world.out if line and not line.startswith("==>")]
        return [int(line.partition("message ")[2].partition(":")[0]) for line in lines]


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def test_messages_are_shown_under_the_names_of_their_logs(scene: Scene) -> None:
    scene.world.server.repository.create_log("lab", time=0)
    scene.acts = [scene.add(1), scene.add(2, 3), scene.add(4, log="lab"), scene.add(5)]
    assert scene.run("origin") == -1
    text = "".join(f"{line}\n" for line in scene.world.out)
    assert text.replace("\n\n==>", "\n==>").count("==>") == 3
    assert [line for line in scene.world.out if line.startswith("==>")] == [
        "==> main <==",
        "==> lab <==",
        "==> main <==",
    ]
    assert scene.bodies == [1, 2, 3, 4, 5]
    assert scene.world.said == []


def test_one_named_log_needs_no_heading(scene: Scene) -> None:
    add(scene.world.server.repository, *map(message, range(4)))
    scene.acts = [scene.add(5)]
    scene.run("origin", "main", newest=2)
    assert scene.bodies == [2, 3, 5]
    assert len(scene.world.out) == 3


def test_messages_in_full_have_a_line_between_them(scene: Scene) -> None:
    scene.acts = [scene.add(1, 2), scene.add(3)]
    scene.run("origin", "main", style="full")
    listed = "\n".join(scene.world.out).split("\n\nmessage ")
    assert len(listed) == 3
    assert all("Author: ann" in one for one in listed)


def test_a_format_is_that_of_list(scene: Scene) -> None:
    scene.acts = [scene.add(1), scene.add(2)]
    scene.run("origin", style="%an %s")
    assert [line[:14] for line in scene.world.out] == ["ann message 1:", "ann message 2:"]


class Flushed(BytesIO):
    """A stream that remembers how much of it was flushed each time."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def flush(self) -> None:
        self.sizes.append(len(self.getvalue()))


def test_json_is_that_of_list_with_the_log_and_each_line_is_flushed(scene: Scene) -> None:
    scene.acts = [scene.add(1, 2)]
    out = Flushed()
    scene.run("origin", json=True, stdout=out)
    lines = out.getvalue().decode().splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    repository = scene.world.server.repository
    keys = list(repository.keys(repository.log("main").root))
    listed = [json.loads(json_text(key, data)) for key, data in repository.messages(iter(keys))]
    assert records == [{"log": "main", **one} for one in listed]
    assert {len(lines[0]), len(lines[0]) + len(lines[1])} <= set(out.sizes)


def test_a_connection_that_is_cut_is_made_again_and_nothing_is_missed(scene: Scene) -> None:
    def outage() -> None:
        scene.cut()
        scene.world.down = True
        scene.world.then = {5: over, 1000: lambda: None}

    def over() -> None:
        scene.add(2, 3)()
        scene.world.down = False

    scene.acts = [scene.add(1), outage, scene.add(4)]
    scene.run()
    assert scene.bodies == [1, 2, 3, 4]
    assert scene.world.waits == pytest.approx([1, 2, 4, 8, 16])
    assert scene.world.said == [
        "msglog: the connection was lost; trying again in 1 s",
        "msglog: cannot connect to host port 22 (Connection refused); trying again in 2 s",
        "msglog: origin answers again",
    ]
    assert len(scene.world.lines) == 2


def test_the_time_between_tries_has_a_bound_and_chance_in_it(scene: Scene) -> None:
    def outage() -> None:
        scene.cut()
        scene.world.down = True
        scene.world.then = {11: lambda: None}

    scene.acts = [outage]
    scene.run(random=bytes)
    assert scene.world.waits == [0.5, 1, 2, 4, 8, 16, *[LONGEST_DELAY_SECONDS / 2] * 6]


def test_a_server_that_falls_over_each_time_is_tried_ever_more_rarely(scene: Scene) -> None:
    def fall() -> None:
        raise ChannelError("the server fell over")

    scene.acts = [fall, fall, fall, scene.add(1), fall, scene.add(2)]
    scene.run()
    assert scene.world.waits == pytest.approx([1, 2, 4, 1])
    assert scene.bodies == [1, 2]


def test_a_host_that_let_us_in_and_takes_no_key_now_is_waited_for(scene: Scene) -> None:
    def shut() -> None:
        scene.world.shut = True
        scene.cut()

    def open_again() -> None:
        scene.world.shut = False

    scene.world.then |= {2: open_again}
    scene.acts = [scene.add(1), shut, scene.add(2)]
    assert scene.run() == -1
    assert scene.bodies == [1, 2]
    assert scene.world.said[1:] == [
        "msglog: the host does not let us in; trying again in 2 s",
        "msglog: origin answers again",
    ]


def test_a_host_that_takes_no_key_at_first_is_an_error(scene: Scene) -> None:
    scene.world.shut = True
    with pytest.raises(NotLetInError):
        scene.run()
    assert scene.world.waits == []


def test_a_remote_that_cannot_be_reached_at_first_is_an_error(scene: Scene) -> None:
    scene.world.down = True
    with pytest.raises(ChannelError):
        scene.run()
    assert scene.world.waits == []


def test_who_is_removed_is_stopped(scene: Scene) -> None:
    def remove() -> None:
        scene.world.rights.revoked = True

    scene.acts = [scene.add(1), remove]
    with pytest.raises(NotAuthorisedError) as caught:
        scene.run()
    assert caught.value.exit_status == 3
    assert len(scene.world.lines) == 2  # a new session had the last word
    assert scene.world.waits == []


def test_who_is_removed_and_let_in_no_more_is_stopped(scene: Scene) -> None:
    def remove() -> None:
        scene.world.rights.revoked = True
        scene.world.shut = True

    scene.acts = [scene.add(1), remove]
    with pytest.raises(NotAuthorisedError):
        scene.run()
    assert scene.world.waits == []


def test_who_is_given_other_rights_goes_on(scene: Scene) -> None:
    def change() -> None:
        scene.world.rights.revoked = True  # the session under way is over
        scene.world.rights = Rights("ann", Role.READ)
        scene.add(2)()

    scene.acts = [scene.add(1), change, scene.add(3)]
    scene.run()
    assert scene.bodies == [1, 2, 3]
    assert scene.world.said == []


def test_a_log_that_is_deleted_is_named(scene: Scene) -> None:
    repository = scene.world.server.repository
    repository.create_log("lab", time=0)
    scene.acts = [lambda: repository.delete_log("lab", time=0), scene.add(1)]
    scene.run()
    assert scene.world.said == ["msglog: lab is not there any more"]
    assert scene.bodies == [1]


def test_it_ends_with_the_last_log_that_was_named(scene: Scene) -> None:
    repository = scene.world.server.repository
    repository.create_log("lab", time=0)
    scene.acts = [lambda: repository.delete_log("lab", time=0)]
    with pytest.raises(NothingLeftError) as caught:
        scene.run("origin", "lab")
    assert caught.value.exit_status == 1


def test_an_older_server_is_told_apart(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plumbing.service.WATCH_SECONDS", None)
    with pytest.raises(CannotWatchError):
        scene.run()


@pytest.mark.parametrize("pull", [False, True])
def test_only_what_is_shared_is_watched_unless_logs_are_named(
    scene: Scene,
    pull: bool,  # noqa: FBT001
) -> None:
    config = scene.world.folder / ".msglog" / "config.toml"
    config.write_text(f'{config.read_text()}logs = ["lab/*", "nowhere"]\n')
    repository = scene.world.server.repository
    repository.create_log("lab/one", time=0)
    scene.acts = [scene.add(1), scene.add(2, log="lab/one"), scene.add(3)]
    scene.run(pull=pull)
    assert scene.bodies == [2]
    scene.world.forget_output()
    scene.acts = [scene.add(4), scene.add(5, log="lab/one")]
    scene.run("origin", "main", pull=pull)
    assert scene.bodies == [4]


def test_a_part_of_a_log_is_pulled_and_kept_in_step(scene: Scene) -> None:
    config = scene.world.folder / ".msglog" / "config.toml"
    config.write_text(f'{config.read_text()}since = "2025-06-15T15:06:40.005+00:00"\n')
    scene.add(1, 2, 7)()
    scene.acts = [scene.add(3), scene.add(8), scene.cut, scene.add(9)]
    scene.run(pull=True)
    assert scene.bodies == [8, 9]
    repository = Repository.open(scene.world.folder / ".msglog")
    assert repository.log("main").count == 3
    repository.close()
    identity = scene.world.server.repository.store.identity.hex()
    horizon = known_horizons(str(scene.world.folder / ".msglog"), identity)["main"]
    assert horizon.older == 3


def test_more_patterns_than_a_server_takes_are_applied_here(scene: Scene) -> None:
    scene.world.server.repository.create_log("lab", time=0)
    scene.acts = [scene.add(1), scene.add(2, log="lab"), scene.add(3)]
    scene.run("origin", *[f"x{number}*" for number in range(70)], "main")
    assert scene.bodies == [1, 3]


def test_pulled_messages_are_kept_and_shown(scene: Scene) -> None:
    scene.add(1, 2)()
    scene.acts = [scene.add(3), scene.cut, scene.add(4)]
    scene.run(pull=True)
    assert scene.bodies == [3, 4]
    assert scene.world.said == [
        "msglog: main: 2 pulled, 2 in all",
        "msglog: the connection was lost; trying again in 1 s",
        "msglog: origin answers again",
    ]
    repository = Repository.open(scene.world.folder / ".msglog")
    there = scene.world.server.repository.log("main")
    assert repository.log("main").root == there.root
    tracked = repository.store.ref("refs/remotes/origin/main")
    assert tracked is not None
    assert tracked.root == there.root
    repository.close()


def test_pulling_says_what_the_remote_has_lost(scene: Scene) -> None:
    server = scene.world.server
    scene.add(1)()
    old = backup(server.repository)
    scene.acts = [scene.add(2), scene.cut]

    def restore() -> None:
        server.repository.store = old
        scene.acts = [scene.add(3)]

    scene.world.then = {1: restore, 1000: lambda: None}
    scene.run(pull=True)
    assert scene.bodies == [2, 3]
    assert (
        "msglog: warning: origin lost 1 message of main; `msglog push origin main` gives them back"
        in (scene.world.said)
    )


def test_sigterm_ends_it_at_once_with_status_0(scene: Scene) -> None:
    scene.acts = [scene.add(1), lambda: os.kill(os.getpid(), signal.SIGTERM), scene.add(2)]
    assert scene.run() == 0
    assert scene.bodies == [1]


def test_a_reader_who_has_gone_is_noticed_without_a_message(scene: Scene) -> None:
    before = threading.active_count()
    read_fd, write_fd = os.pipe()
    for_ever = threading.Event()
    scene.acts = [lambda: None, lambda: os.close(read_fd), for_ever.wait]
    with os.fdopen(write_fd, "wb") as out, pytest.raises(BrokenPipeError):
        scene.run(stdout=out)
    assert threading.active_count() == before


def test_a_large_burst_takes_no_more_memory_than_a_small_one(scene: Scene) -> None:
    """Two bursts whose bodies are many times what a batch may hold."""
    peaks: list[int] = []

    class Sink(BytesIO):
        def write(self, data: Any) -> int:
            return len(data)

    def burst(count: int) -> Callable[[], object]:
        objects = [message(1000 * count + n, body="x" * 100_000) for n in range(count)]

        def act() -> None:
            add(scene.world.server.repository, *objects)
            tracemalloc.reset_peak()

        return act

    def measure() -> None:
        peaks.append(tracemalloc.get_traced_memory()[1] - tracemalloc.get_traced_memory()[0])

    scene.acts = [burst(120), measure, burst(360), measure]
    tracemalloc.start()
    try:
        scene.run(stdout=Sink())
    finally:
        tracemalloc.stop()
    small, large = peaks
    assert large < small + (1 << 20)


@pytest.mark.parametrize(
    ("words", "options", "error"),
    [
        (("origin", "Main"), {}, InvalidNameError),
        (("origin", "a**"), {}, InvalidPatternError),
        (("nowhere", "main"), {}, UnknownRemoteError),
        (("main",), {}, NotARemoteError),
        ((".",), {"pull": True}, NothingToPullError),
        ((".", "nowhere"), {}, UnknownLogError),
        (("nowhere",), {}, UnknownRemoteError),
    ],
)
def test_what_cannot_be_watched_is_said(
    scene: Scene, words: tuple[str, ...], options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        scene.run(*words, **options)
    assert getattr(caught.value, "exit_status", 2) == 2


def test_our_own_repository_is_watched(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    acts = [lambda: scene.world.add_here(2), lambda: scene.world.add_here(3)]

    def happen(*_: object) -> None:
        if not acts:
            raise Enough
        acts.pop(0)()

    monkeypatch.setattr("porcelain.vigil.wait", happen)
    scene.world.add_here(1)
    scene.run(".", newest=1)
    assert scene.bodies == [1, 2, 3]
    assert scene.world.lines == []


def start(cli: CommandLine, *words: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """A real process, which has begun to watch once it has written its first line."""
    script = "import sys; from porcelain.cli import run; sys.exit(run())"
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", script, "watch", *words],
        cwd=cli.folder,
        env={**cli.environment, "PYTHONPATH": str(root)},
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def test_a_process_shows_what_others_add_and_ends_by_ctrl_c(cli: CommandLine) -> None:
    cli.ok("add", "-q", "one")
    process = start(cli, "-n", "1", "--json")
    out = cast("BinaryIO", process.stdout)
    assert json.loads(out.readline())["body"] == "one"
    cli.ok("add", "-q", "two")
    assert json.loads(out.readline())["body"] == "two"
    process.send_signal(signal.SIGINT)
    rest = process.communicate()
    assert (rest, process.returncode) == ((b"", b""), 130)


def test_a_process_ends_when_its_reader_goes(cli: CommandLine) -> None:
    cli.ok("add", "-q", "one")
    process = start(cli, "-n", "1", "--json")
    out = cast("BinaryIO", process.stdout)
    out.readline()
    out.close()
    assert process.wait() == 141
    assert cast("BinaryIO", process.stderr).read() == b""
    cast("BinaryIO", process.stderr).close()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_process_ends_although_its_reader_reads_nothing(
    cli: CommandLine, number: signal.Signals, status: int
) -> None:
    lines = b"".join(b"%d %s\n" % (line, b"x" * 1000) for line in range(200))
    cli.ok("add", "-q", "--batch", stdin=lines)
    reading, writing = os.pipe()
    process = start(cli, "-n", "200", "--json", stdout=writing)
    room = select.poll()
    room.register(writing, select.POLLOUT)
    while room.poll(0):
        assert process.poll() is None
    process.send_signal(number)
    assert process.communicate()[1] == b""
    assert process.returncode == status
    os.close(reading)
    os.close(writing)
