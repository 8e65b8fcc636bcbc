"""Running a command for `add --run`: its output is passed on as it comes, and its end is kept."""

from __future__ import annotations

import errno
import os
import re
import selectors
import shlex
import signal
import subprocess
from collections import deque
from contextlib import contextmanager, suppress

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.message import META_TEXT_BYTES_LIMIT
from porcelain.display import shorten
from porcelain.run_streams import open_streams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from msglog.message import MetaValue
    from plumbing.context import Context
    from porcelain.run_streams import Stream

LINES = 20
"""How many last lines are kept, unless more or fewer are asked for."""

LINES_LIMIT = 1000
LINE_BYTES_LIMIT = 2000
"""Of a longer line the beginning is kept: with LINES_LIMIT this bounds the memory that is used."""

_COMMAND_NOT_FOUND = 127
_COMMAND_NOT_RUN = 126
_SIGNALLED = 128
_TITLE_WIDTH = 80
_GRACE = 0.2
_PATIENCE = 1.0
_ESCAPES = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])"
)


class CommandStartError(Exception):
    """The command cannot be started; status: what a shell would end with."""

    def __init__(self, words: Sequence[str], error: OSError) -> None:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        self.status = _COMMAND_NOT_FOUND if missing else _COMMAND_NOT_RUN
        said = f"cannot run {words[0]!r} ({error.strerror or 'it failed'})."
        if missing and len(words) == 1 and " " in words[0]:
            said += (
                f" A line for a shell is run by `msglog add --run sh -c {shlex.quote(words[0])}`."
            )
        super().__init__(said)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended.

    command: as it would be typed. status: as a shell has it, 128 and more for a signal.
    signal: the name of the signal that ended it, or "". seconds: how long it ran.
    lines: how many lines it wrote to both streams; last: the last of them, made readable.
    unshown: why not all that it wrote to standard output could be passed on, or "".
    """

    command: str
    status: int
    signal: str
    seconds: float
    lines: int
    last: tuple[str, ...]
    unshown: str = ""

    @property
    def verdict(self) -> str:
        """What became of it, such as `make -j4: exit status 2 after 3.4 s`."""
        how = f"ended by {self.signal}" if self.signal else f"exit status {self.status}"
        command = shorten(self.command.partition("\n")[0], _TITLE_WIDTH)
        return f"{command}: {how} after {_duration(self.seconds)}"

    def body(self, introduction: str) -> str:
        """Return the text of a message about it, after what the user says about it."""
        parts = [introduction, self.verdict]
        if self.last:
            cut = self.lines > len(self.last)
            head = f"The last {len(self.last)} of {self.lines} lines:\n" if cut else ""
            parts.append(head + "\n".join(self.last))
        return "\n\n".join(part for part in parts if part)

    def meta(self) -> dict[str, MetaValue]:
        """Return it as fields for programs."""
        encoded = self.command.encode("utf-8", "replace")[:META_TEXT_BYTES_LIMIT]
        fields: dict[str, MetaValue] = {
            "run.command": encoded.decode("utf-8", "ignore"),
            "run.status": self.status,
            "run.seconds": round(self.seconds, 3),
            "run.lines": self.lines,
        }
        if self.signal:
            fields["run.signal"] = self.signal
        return fields


EXAMPLE = Outcome("", 0, "SIGTERM", 0.0, 0, ())
"""One with every field, to try a message before a command takes hours."""


def run_command(words: Sequence[str], context: Context, *, lines: int) -> Outcome:
    """Run a command to its end, show what it writes, and return how it ended.

    lines: how many last lines to keep. Interrupts of the terminal reach the command itself, SIGTERM
    and SIGHUP are handed on to it. What it leaves running is not waited for. Raises
    CommandStartError.
    """
    # Words that are not UTF-8 came as lone surrogates, which no message may have.
    command = os.fsencode(shlex.join(words)).decode("utf-8", "replace")
    waker, woken = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(woken, False)
    try:
        with open_streams(context) as (streams, out, error), _signals(woken) as heed:
            begun = context.monotonic()
            try:
                process = subprocess.Popen(  # noqa: S603 - the user's own words, without a shell
                    words,
                    stdout=out,
                    stderr=error,
                    cwd=context.directory,
                    env=dict(context.environment),
                )
            except OSError as failure:
                raise CommandStartError(words, failure) from failure
            heed.begin(process)
            tail = _Tail(lines)
            for stream in streams:
                stream.started()
            ended = _relay(process, streams, waker, tail, context)
            status = process.wait()
            seconds = (ended or context.monotonic()) - begun
            unshown = streams[0].failure
    finally:
        os.close(waker)
        os.close(woken)
    name = _signal_name(-status) if status < 0 else ""
    status = _SIGNALLED - status if status < 0 else status
    return Outcome(command, status, name, seconds, tail.count, tail.readable(), unshown)


def _relay(
    process: subprocess.Popen[bytes],
    streams: Sequence[Stream],
    waker: int,
    tail: _Tail,
    context: Context,
) -> float | None:
    """Pass on what comes until nobody can write any more, or the command has ended.

    Returns when it was seen to have ended, if it was.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(waker, selectors.EVENT_READ)
        parts = {}
        for stream in streams:
            selector.register(stream.reading, selectors.EVENT_READ, stream)
            parts[stream] = _Lines(tail)
        ended = None
        while parts:
            if ended is None and process.poll() is not None:
                ended = context.monotonic()
            if ended is not None and context.monotonic() - ended > _PATIENCE:
                break
            events = selector.select(None if ended is None else _GRACE)
            if ended is not None and not events:
                break  # what still holds the streams is something that the command left behind
            for key, _ in events:
                stream = key.data
                if stream is None:
                    with suppress(BlockingIOError):
                        os.read(waker, 4096)
                    continue
                data = stream.pass_on()
                if not data:
                    selector.unregister(stream.reading)
                    stream.close()
                    parts.pop(stream).end()
                    continue
                parts[stream].take(data)
        for rest in parts.values():
            rest.end()
    return ended


class _Tail:
    """The last lines of several streams, in the order in which they ended."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self._lines: deque[bytes] = deque(maxlen=size)

    def keep(self, line: bytes) -> None:
        self.count += 1
        self._lines.append(line)

    def readable(self) -> tuple[str, ...]:
        """Return the lines as a terminal would have left them."""
        return tuple(_readable(line) for line in self._lines)


class _Lines:
    """Cuts one stream into lines."""

    def __init__(self, tail: _Tail) -> None:
        self._tail = tail
        self._unfinished = b""

    def take(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._tail.keep(_bounded(self._unfinished + line))
            self._unfinished = b""
        self._unfinished = _bounded(self._unfinished + rest)

    def end(self) -> None:
        """Take what is left for a line."""
        if self._unfinished:
            self._tail.keep(self._unfinished)
        self._unfinished = b""


def _bounded(line: bytes) -> bytes:
    """Return a line that is not too long, of one that was written over and over its last state."""
    if len(line) <= LINE_BYTES_LIMIT:
        return line
    return (_overwritten(line) or line)[:LINE_BYTES_LIMIT]


def _overwritten(line: bytes) -> bytes:
    """Return what is left of a line after its carriage returns, as progress bars write them."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _readable(line: bytes) -> str:
    return _overwritten(_ESCAPES.sub(b"", line)).decode("utf-8", "replace").rstrip()


class _Heed:
    """Where signals go: to the command, those from before there was one as well."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


@contextmanager
def _signals(woken: int) -> Iterator[_Heed]:
    """Leave the terminal's signals to the command, and be woken when it ends."""
    heed = _Heed()

    def leave(_number: int, _frame: FrameType | None) -> None:
        """Do nothing, which ends nothing; the command itself gets the default back."""

    handlers = {
        signal.SIGINT: leave,
        signal.SIGQUIT: leave,
        signal.SIGTERM: heed.pass_on,
        signal.SIGHUP: heed.pass_on,
        signal.SIGCHLD: leave,
    }
    before = {}
    for number, handler in handlers.items():
        known = signal.getsignal(number)
        if known is not signal.SIG_IGN or number == signal.SIGCHLD:
            before[number] = known
            signal.signal(number, handler)
    pipe = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    try:
        yield heed
    finally:
        signal.set_wakeup_fd(pipe)
        for number, known in before.items():
            signal.signal(number, known)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
