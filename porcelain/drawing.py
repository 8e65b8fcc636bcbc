"""What lines and bars are drawn with: Unicode where it can be shown, else ASCII."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def draws_unicode(environment: Mapping[str, str]) -> bool:
    """Tell whether drawings may be Unicode: as the locale says, else unless TERM is dumb."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        locale = environment.get(name)
        if locale:
            return "utf" in locale.lower()
    return environment.get("TERM") != "dumb"
