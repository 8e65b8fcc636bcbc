"""Settings of a server account: a few names, each with a rule for its values and a default."""

from __future__ import annotations

from msglog import duration
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError

if TYPE_CHECKING:
    from msglog.account.tables import Tables


class SettingError(UsageError):
    """There is no such setting, or it cannot have this value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What can be set. values: a regular expression of all values; meaning: the same for people."""

    name: str
    values: str
    meaning: str
    default: str


KEYS_FILE = Setting(
    "keys.file", r"~?/[ -~]{1,1000}", "an absolute path, or one below ~/", "~/.ssh/authorized_keys"
)
AUDIT_SYSLOG = Setting("audit.syslog", r"on|off", "on or off", "off")
AUDIT_KEEP = Setting("audit.keep", r"[1-9][0-9]{2,8}", "a number of records from 100 on", "1000000")
GC_GRACE = Setting("gc.grace", duration.VALUES, duration.MEANING, "2 weeks")
SETTINGS = {one.name: one for one in (AUDIT_KEEP, AUDIT_SYSLOG, GC_GRACE, KEYS_FILE)}


def setting(database: Tables, which: Setting) -> str:
    """Return the value of a setting; raises DamagedAccountError."""
    rows = database.rows("SELECT value FROM settings WHERE name = ?", (str,), which.name)
    value: str = rows[0][0] if rows else which.default
    if value != which.default and not _fits(which, value):
        raise database.damaged(f"{which.name} is set to what it cannot be")
    return value


def all_settings(database: Tables) -> list[tuple[str, str]]:
    """Return the names and values of what is set, also of what this version does not know."""
    rows = database.rows("SELECT name, value FROM settings ORDER BY name", (str, str))
    return [(name, value) for name, value in rows]


def known_setting(name: str) -> Setting:
    """Return a setting by its name; raises SettingError."""
    which = SETTINGS.get(name)
    if which is None:
        from msglog.guess import question  # noqa: PLC0415 - only where something was mistyped

        raise SettingError(
            f"there is no setting {name[:80]!r}",
            why=f"there are {', '.join(SETTINGS)}",
            hint=question(name, SETTINGS),
        )
    return which


def change_setting(database: Tables, name: str, value: str) -> None:
    """Give a setting a value; raises SettingError."""
    which = known_setting(name)
    if not _fits(which, value):
        raise SettingError(f"{name} cannot be {value[:80]!r}", why=f"it is {which.meaning}")
    database.execute(
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value,
    )


def _fits(which: Setting, value: str) -> bool:
    import re  # noqa: PLC0415 - every session looks at settings, most of which have their defaults

    return re.fullmatch(which.values, value, re.ASCII) is not None
