"""What lines and bars are drawn with: Unicode where it can be shown, else ASCII."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python itself sets LC_CTYPE to where the locale is C (PEP 538): nobody has said that."""


def draws_unicode(environment: Mapping[str, str]) -> bool:
    """Tell whether drawings may be Unicode: as the locale says, else unless TERM is dumb."""
    language = environment.get("LANG", "")
    character_type = environment.get("LC_CTYPE", "")
    if character_type in _COERCED and language in ("", "C", "POSIX"):
        character_type = ""
    for locale in (environment.get("LC_ALL", ""), character_type, language):
        if locale:
            return "utf" in locale.lower()
    return environment.get("TERM") != "dumb"
