"""What can be put right in the keys of an account without a person's judgement, and how.

The managed block is written anew, lines of ours that strayed out of it are removed, and modes of
what belongs to the account are corrected. Lines of others stay byte for byte: what is wrong with
them is for whoever wrote them.
"""

from __future__ import annotations

from msglog.account.findings import named_programs
from msglog.account.managed_block import restore_block
from msglog.account.place import mended
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.account.findings import Inspection
    from msglog.account.place import Place


def mended_data(inspection: Inspection, data: bytes, lines: Sequence[str]) -> bytes:
    """Return what an account's authorized_keys should hold instead of data.

    lines: of the managed block. Where the program does not start, nothing is changed: lines
    that start something else may be what still works. Raises UnsafePathError.
    """
    if inspection.unstartable:
        return data
    return restore_block(data, inspection.account, lines, inspection.is_ours)


def mended_places(places: Sequence[Place], owner: int) -> tuple[tuple[Place, Place], ...]:
    """Return the places whose mode is to be changed, each as it is and as it should be.

    Outer folders come first, so that the inner ones can be reached.
    """
    pairs = [(place, mended(place, owner)) for place in places]
    changed = [(old, new) for old, new in pairs if old != new]
    return tuple(sorted(changed, key=lambda pair: len(pair[0].path)))


def mended_inspection(inspection: Inspection, lines: Sequence[str] | None) -> Inspection:
    """Return what an inspection would find once all is mended.

    lines: of the managed block, or None for a file that msglog does not write. Raises
    UnsafePathError.
    """
    data = inspection.data
    if lines is not None:
        data = mended_data(inspection, data, lines)
    return replace(
        inspection,
        data=data,
        places=tuple(mended(place, inspection.owner) for place in inspection.places),
        missing=frozenset(named_programs(data) & inspection.missing),
    )
