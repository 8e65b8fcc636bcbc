"""What was probably meant by a name that there is not."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SEE_LOGS = "See `msglog logs` for those that there are."


def advice(name: str, known: Iterable[str], *, make: str = "", see: str) -> str:
    """Return a hint for whoever named what is not among the known.

    make: how to have it after all, such as "make it with `msglog logs new lab`"; "" where that is
    of no use. see: what to do where neither that nor any known name is likely.
    """
    meant = question(name, known)
    if not make:
        return meant or see
    return f"{meant} Else {make}." if meant else f"{make[:1].upper()}{make[1:]}."


def question(
    name: str,
    known: Iterable[str],
    *,
    shape: str = "{}",
    likeness: float = 0.6,
    most: int = 1,
) -> str:
    """Return the question whether one of the known was meant, or "" where none is likely.

    Whether letters are small or capital makes no difference. shape: how a name is written, with
    {} for it. likeness: how like it has to be, from 0 to 1. most: how many may be asked for.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - only where something was mistyped

    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(one.lower(), one)
    near = get_close_matches(name.lower(), folded, n=most, cutoff=likeness)
    written = " or ".join([shape.replace("{}", folded[one]) for one in near])
    return f"Did you mean {written}?" if near else ""
