"""Work done in a child to whom files are what their modes say, or a folder is mounted read-only.

Root may write whatever the modes say, so that the child first gives up all of its capabilities
(capabilities(7)); for any other user there is nothing to give up.
"""

import ctypes
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_BIND, _REMOUNT, _READ_ONLY, _PRIVATE, _ALL_BELOW = 4096, 32, 1, 1 << 18, 16384
_LIBC = ctypes.CDLL(None, use_errno=True)


def in_child(work: Callable[[], Result], *, prepare: Callable[[], None]) -> Result:
    """Return what work gives in a forked child; what it raises is an AssertionError here."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            prepare()
            said: Any = (True, work())
        except BaseException:  # noqa: BLE001 - whatever it is, the child ends here
            said = (False, traceback.format_exc())
        with open(writing, "wb") as file:
            pickle.dump(said, file)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    said = pickle.loads(data)
    assert said[0], said[1]
    result: Result = said[1]
    return result


def by_modes(work: Callable[[], Result]) -> Result:
    """Return what work gives to somebody who may do what the modes of files say."""
    return in_child(work, prepare=_give_up_capabilities)


def by_modes_of(folder: Path, work: Callable[[], Result]) -> Result:
    """Return what work gives to somebody who may only read a folder and the files in it."""
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    try:
        return by_modes(work)
    finally:
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)


def _give_up_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_LIBC.capset(header, nothing))


def with_mount(folder: Path, work: Callable[[], Result]) -> Result:
    """Return what work gives where a folder is mounted read-only, which takes root."""

    def mount() -> None:
        _check(_LIBC.unshare(_NEW_MOUNTS))
        _mount(b"none", b"/", _PRIVATE | _ALL_BELOW)
        path = os.fsencode(folder)
        _mount(path, path, _BIND)
        _mount(path, path, _BIND | _REMOUNT | _READ_ONLY)

    return in_child(work, prepare=mount)


def can_mount() -> bool:
    """Tell whether this process may mount."""

    def mount() -> None:
        _check(_LIBC.unshare(_NEW_MOUNTS))
        _mount(b"none", b"/", _PRIVATE | _ALL_BELOW)

    try:
        return in_child(lambda: True, prepare=mount)
    except AssertionError:
        return False


def _mount(source: bytes, target: bytes, flags: int) -> None:
    _check(_LIBC.mount(source, target, None, ctypes.c_ulong(flags), None))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
