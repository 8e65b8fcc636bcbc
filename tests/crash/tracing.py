"""Running processes so that each of their system calls that matters can be stopped at, by ptrace.

A command is run in a process that is forked from this one, so that an interpreter need not start,
and a filter of seccomp lets the kernel stop it only at the calls of `calls`. What the command starts
is followed too: what has executed another program counts as the server.
"""

import ctypes
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from tests.crash.calls import ARCHITECTURE, AT_FDCWD, NAMES, NUMBERS, OPENS, Call

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.restype = ctypes.c_long
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

_TRACEME, _CONT, _GETREGS, _SETREGS, _SYSCALL = 0, 7, 12, 13, 24
_SETOPTIONS, _GETEVENTMSG = 0x4200, 0x4201
_SYSGOOD, _FORK, _VFORK, _CLONE, _EXEC, _SECCOMP = 1, 2, 4, 8, 16, 0x80
_EXITKILL = 1 << 20
_EVENT_FORK, _EVENT_VFORK, _EVENT_CLONE, _EVENT_EXEC, _EVENT_SECCOMP = 1, 2, 3, 4, 7
_WALL = 0x40000000
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_RAX, _ORIG_RAX, _RDI, _RDX = 10, 15, 14, 12
_ARGUMENTS = (14, 13, 12, 7, 9, 8)  # rdi rsi rdx r10 r8 r9
_PATH_BYTES = 4096


class TracingError(Exception):
    """The kernel does not let us trace."""


class HungError(Exception):
    """What was run did not end within its time."""


@dataclass(frozen=True, slots=True)
class Go:
    """Let the call be made. watch: tell afterwards what it returned."""

    watch: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill the roles before the call is made, or after size bytes of it are written."""

    roles: frozenset[str]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Let the call fail with an error number."""

    error: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Stop the process there until all others have ended, and then kill it.

    meanwhile: called when it has stopped.
    """

    meanwhile: Callable[[], None]


Action = Go | Kill | Fail | Freeze


class Observer:
    """Is asked at each call what is to become of it."""

    def decide(self, _call: Call) -> Action:
        return Go()

    def returned(self, _call: Call, _result: int) -> None:
        """Take what a watched call has returned."""


@dataclass(slots=True)
class Ending:
    """How a run ended: the client's status, negative for a signal; None: it was frozen for ever."""

    status: int | None = None
    killed: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Process:
    role: str
    group: int
    entered: Call | None = None
    tearing: Kill | None = None
    fresh: bool = True


def run(work: Callable[[], int], observer: Observer, *, seconds: float = 60.0) -> Ending:
    """Run work in a process of its own until it and all that it starts have ended.

    Only from a main thread without other children. Raises HungError.
    """
    root = os.fork()
    if root == 0:
        _become_traced(work)
    _, status = os.waitpid(root, _WALL)
    if not os.WIFSTOPPED(status):
        raise TracingError("ptrace is not allowed here")
    options = _SYSGOOD | _FORK | _VFORK | _CLONE | _EXEC | _SECCOMP | _EXITKILL
    _ptrace(_SETOPTIONS, root, 0, options)
    before = signal.signal(signal.SIGALRM, _hung)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    run = _Run(root, observer)
    try:
        _ptrace(_CONT, root, 0, 0)
        return run.follow()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        run.end()
        signal.signal(signal.SIGALRM, before)


def _hung(_number: int, _frame: object) -> None:
    raise HungError


def _become_traced(work: Callable[[], int]) -> NoReturn:
    status = 99
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        _ptrace(_TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        _LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        program = _filter()
        code = ctypes.create_string_buffer(program)
        header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
        if _LIBC.prctl(_SET_SECCOMP, _FILTER, ctypes.create_string_buffer(header), 0, 0):
            raise TracingError("no filter is allowed here")  # noqa: TRY301
        status = work()
    except BaseException:  # noqa: BLE001 - nothing of it may go on as the parent
        traceback.print_exc()
    finally:
        os._exit(status)


def _filter() -> bytes:
    """Return a program of BPF that has the calls of `calls` traced, and lets all others pass."""
    numbers = list(NUMBERS)
    lines = [
        (0x20, 0, 0, 4),
        (0x15, 1, 0, ARCHITECTURE),
        (0x06, 0, 0, 0x7FFF0000),
        (0x20, 0, 0, 0),
    ]
    lines += [(0x15, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    lines += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x7FF00000)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _ptrace(request: int, process: int, address: int, data: object) -> int:
    result: int = _LIBC.ptrace(request, process, address, data)
    if result == -1 and (number := ctypes.get_errno()):
        raise OSError(number, os.strerror(number))
    return result


class _Registers:
    """The registers of a process that has stopped."""

    def __init__(self, process: int) -> None:
        self._process = process
        self.values = (ctypes.c_ulong * 27)()
        _ptrace(_GETREGS, process, 0, ctypes.addressof(self.values))

    def write(self) -> None:
        _ptrace(_SETREGS, self._process, 0, ctypes.addressof(self.values))

    @property
    def result(self) -> int:
        return ctypes.c_long(self.values[_RAX]).value


class _Run:
    def __init__(self, root: int, observer: Observer) -> None:
        self._root = root
        self._observer = observer
        self._processes = {root: _Process("client", root, fresh=False)}
        self._early: set[int] = set()
        self._held: set[int] = set()
        self._ending = Ending()

    def follow(self) -> Ending:
        while self._processes:
            if self._held and self._held >= set(self._processes):
                self._kill_held()
            pid, status = os.waitpid(-1, _WALL)
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                self._ended(pid, status)
            elif pid not in self._processes:
                self._early.add(pid)  # it stopped before its parent's event told of it
            else:
                self._stopped(pid, status)
        return self._ending

    def end(self) -> None:
        """Kill whatever is left."""
        for pid in set(self._processes) | self._early:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while self._processes or self._early:
                pid, status = os.waitpid(-1, _WALL)
                if not os.WIFSTOPPED(status):
                    self._ended(pid, status)

    def _ended(self, pid: int, status: int) -> None:
        self._processes.pop(pid, None)
        self._held.discard(pid)
        self._early.discard(pid)
        if pid == self._root:
            self._ending.status = os.waitstatus_to_exitcode(status)

    def _kill_held(self) -> None:
        for pid in self._held:
            with suppress(ProcessLookupError):
                os.kill(self._processes[pid].group, signal.SIGKILL)
        self._held.clear()

    def _kill(self, roles: frozenset[str]) -> None:
        for pid, process in self._processes.items():
            if process.role in roles:
                self._ending.killed.add(process.role)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _stopped(self, pid: int, status: int) -> None:
        try:
            self._handle(pid, status)
        except ProcessLookupError:
            pass  # it was killed meanwhile, which the next wait tells

    def _handle(self, pid: int, status: int) -> None:
        process = self._processes[pid]
        number, event = os.WSTOPSIG(status), status >> 16
        if event in (_EVENT_FORK, _EVENT_VFORK, _EVENT_CLONE):
            self._begin(pid, process, thread=event == _EVENT_CLONE)
            _ptrace(_CONT, pid, 0, 0)
        elif event == _EVENT_EXEC:
            process.role = "server"
            _ptrace(_CONT, pid, 0, 0)
        elif event == _EVENT_SECCOMP:
            self._enter(pid, process)
        elif number == signal.SIGTRAP | 0x80:
            self._leave(pid, process)
        elif process.fresh and number == signal.SIGSTOP:
            process.fresh = False
            _ptrace(_CONT, pid, 0, 0)
        else:
            _ptrace(_CONT, pid, 0, 0 if event else number)

    def _begin(self, parent: int, process: _Process, *, thread: bool) -> None:
        message = ctypes.c_ulong()
        _ptrace(_GETEVENTMSG, parent, 0, ctypes.addressof(message))
        pid = message.value
        self._processes[pid] = _Process(process.role, process.group if thread else pid)
        if pid in self._early:
            self._early.discard(pid)
            self._processes[pid].fresh = False
            _ptrace(_CONT, pid, 0, 0)

    def _enter(self, pid: int, process: _Process) -> None:
        registers = _Registers(pid)
        call = _read_call(pid, process.role, registers)
        action = self._observer.decide(call)
        match action:
            case Go(watch=False):
                _ptrace(_CONT, pid, 0, 0)
            case Go():
                process.entered = call
                _ptrace(_SYSCALL, pid, 0, 0)
            case Fail(error=error):
                registers.values[_ORIG_RAX] = ctypes.c_ulong(-1).value
                registers.values[_RAX] = ctypes.c_ulong(-error).value
                registers.write()
                _ptrace(_CONT, pid, 0, 0)
            case Kill(size=None):
                self._kill(action.roles)
                if process.role not in action.roles:
                    _ptrace(_CONT, pid, 0, 0)
            case Kill():
                assert action.size is not None
                registers.values[_RDX] = action.size
                registers.write()
                process.entered, process.tearing = call, action
                _ptrace(_SYSCALL, pid, 0, 0)
            case Freeze():
                self._held.add(pid)
                action.meanwhile()

    def _leave(self, pid: int, process: _Process) -> None:
        call, tearing = process.entered, process.tearing
        process.entered = process.tearing = None
        if call is not None:
            self._observer.returned(call, _Registers(pid).result)
        if tearing is not None:
            self._kill(tearing.roles)
        _ptrace(_CONT, pid, 0, 0)


def _read_call(pid: int, role: str, registers: _Registers) -> Call:
    name = NUMBERS.get(registers.values[_ORIG_RAX], "?")
    arguments = tuple(registers.values[at] for at in _ARGUMENTS)
    call = Call(pid, role, name, arguments, "")
    if call.on_descriptor:
        path = descriptor_path(pid, _signed(arguments[0]))
        second = _address(pid, arguments) if name == "connect" else ""
        return Call(pid, role, name, arguments, path, second)
    if name in OPENS | NAMES | {"truncate", "chmod", "chown", "fchmodat"}:
        return Call(pid, role, name, arguments, *_paths(pid, name, arguments))
    return call


def _address(pid: int, arguments: tuple[int, ...]) -> str:
    """Return the file of a socket on this machine, or "" for any other address."""
    data = read_memory(pid, arguments[1], min(arguments[2], _PATH_BYTES))
    is_local = int.from_bytes(data[:2], sys.byteorder) == socket.AF_UNIX
    return os.fsdecode(data[2:].partition(b"\0")[0]) if is_local else ""


def _paths(pid: int, name: str, arguments: tuple[int, ...]) -> tuple[str, ...]:
    match name:
        case "openat" | "mkdirat" | "unlinkat" | "fchmodat":
            return (_path(pid, arguments[0], arguments[1]),)
        case "renameat" | "renameat2" | "linkat":
            first = _path(pid, arguments[0], arguments[1])
            return first, _path(pid, arguments[2], arguments[3])
        case "rename" | "link":
            return _path(pid, -100, arguments[0]), _path(pid, -100, arguments[1])
        case "symlink":
            return (_path(pid, -100, arguments[1]),)
        case _:
            return (_path(pid, -100, arguments[0]),)


def _path(pid: int, folder: int, address: int) -> str:
    data = bytearray()
    while b"\0" not in data and len(data) < _PATH_BYTES:
        room = 256 - (address + len(data)) % 256  # never across a page that may not be there
        data += read_memory(pid, address + len(data), room)
    text = os.fsdecode(bytes(data).partition(b"\0")[0])
    if text.startswith("/"):
        return os.path.normpath(text)
    number = _signed(folder)
    try:
        base = (
            os.readlink(f"/proc/{pid}/cwd") if number == AT_FDCWD else descriptor_path(pid, number)
        )
    except OSError:
        base = "/"
    return os.path.normpath(os.path.join(base, text))


def descriptor_path(pid: int, descriptor: int) -> str:
    """Return what a descriptor of a process is open on, "" if on nothing."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except OSError:
        return ""


def read_memory(pid: int, address: int, size: int) -> bytes:
    """Return what a process that has stopped has in its memory."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        data: bytes = memory.read(size)
    return data


def _signed(number: int) -> int:
    return ctypes.c_int(number & 0xFFFFFFFF).value
