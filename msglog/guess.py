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
    from difflib import get_close_matches  # noqa: PLC0415 - only where something was mistyped

    near = get_close_matches(name, list(known), n=1)
    meant = f"Did you mean {near[0]}?" if near else ""
    if not make:
        return meant or see
    return f"{meant} Else {make}." if meant else f"{make[:1].upper()}{make[1:]}."
