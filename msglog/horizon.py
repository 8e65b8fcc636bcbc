"""What was seen to lie before the views of remotes: how many older messages are only there.

It is for people to read, and decides nothing: what is lost of it, the next pull finds out anew.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.key import TIME_MAXIMUM, TIME_MINIMUM, first_key_at, key_time
from msglog.layout import VIEWS_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msglog.key import Key

_BYTES_LIMIT = 1 << 24


@dataclass(frozen=True, slots=True)
class Horizon:
    """From where on a log of a remote was taken last, and how many messages lie before that.

    older: how many of them are not here; None where the remote does not say.
    """

    view: Key
    older: int | None


def known_horizons(folder: str, identity: str) -> dict[str, Horizon]:
    """Return the horizons of a repository's logs; identity: the remote repository's, in hex."""
    found = {}
    logs = _read(folder).get(identity)
    for log, entry in logs.items() if isinstance(logs, dict) else ():
        match entry:
            case {"since": int(time), "older": (int() | None) as older} if (
                TIME_MINIMUM <= time <= TIME_MAXIMUM
            ):
                found[log] = Horizon(first_key_at(time), older)
    return found


def note_horizons(folder: str, identity: str, seen: Mapping[str, Horizon | None]) -> None:
    """Take note of horizons that were seen; None: nothing is left out any more."""
    documents = _read(folder)
    logs = documents.get(identity)
    before = logs if isinstance(logs, dict) else {}
    after = dict(before)
    for log, horizon in seen.items():
        after.pop(log, None)
        if horizon is not None:
            after[log] = {"since": key_time(horizon.view), "older": horizon.older}
    if after == before:
        return
    path = os.path.join(folder, VIEWS_NAME)
    unfinished = f"{path}.new"
    with suppress(OSError):  # on a full disk, or where two do so at once: nothing is lost by it
        with open(unfinished, "w", encoding="ascii") as file:
            json.dump({**documents, identity: after}, file)
        os.replace(unfinished, path)


def _read(folder: str) -> dict[str, object]:
    with suppress(OSError, ValueError, RecursionError):
        with open(os.path.join(folder, VIEWS_NAME), encoding="ascii") as file:
            found = json.loads(file.read(_BYTES_LIMIT))
        if isinstance(found, dict):
            return found
    return {}
