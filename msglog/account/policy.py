"""Policies: what a server account asks of messages, by repository and by pattern of logs."""

from __future__ import annotations

from msglog.account.access import check_pattern, is_pattern, matches, specificity
from msglog.account.name import check_repository_name, is_repository_name
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from msglog.account.tables import Row, Tables

ENFORCE_AUTHOR = "enforce-author"
MAX_FUTURE = "max-future"
MAX_MESSAGE_BYTES = "max-message-bytes"
QUOTA_MESSAGES = "quota-messages"
QUOTA_BYTES = "quota-bytes"
POLICIES = {
    ENFORCE_AUTHOR: "on or off: the author of a message must be the user who pushes it",
    MAX_FUTURE: "SECONDS: no message is from further in the future",
    MAX_MESSAGE_BYTES: "N: no message is larger",
    QUOTA_MESSAGES: "N: so many messages may each user deliver to the repository",
    QUOTA_BYTES: "N: so many bytes of messages may each user deliver to the repository",
}
"""What there is to ask, and its values. All but the first can also be `none`."""

LARGEST = 1 << 50
_NONE = -1
_SWITCH = {"off": 0, "on": 1}


class PolicyError(UsageError):
    """There is no such policy, or it cannot have this value."""


class UnknownPolicyError(UsageError):
    """Nothing of the kind is set."""


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """One policy as it is kept; value as it is typed."""

    repository: str
    pattern: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """What is asked of messages for one log; None is without bound. max_future: seconds."""

    enforce_author: bool = False
    max_future: int | None = None
    max_message_bytes: int | None = None
    quota_messages: int | None = None
    quota_bytes: int | None = None


def policy_of(database: Tables, repository: str, log: str) -> LogPolicy:
    """Return what is asked for one log: each policy as the most specific pattern has it.

    Of two patterns that are equally specific the stricter one holds.
    """
    strongest: dict[str, tuple[int, int]] = {}
    for _, pattern, name, value in _rows(database, repository):
        if matches(pattern, log):
            # The greater one wins: more specific, then stricter.
            strictness = value if name == ENFORCE_AUTHOR or value == _NONE else LARGEST - value
            here = (specificity(pattern), strictness)
            strongest[name] = max(strongest.get(name, here), here)

    def bound(name: str) -> int | None:
        if name not in strongest or strongest[name][1] == _NONE:
            return None
        return LARGEST - strongest[name][1]

    return LogPolicy(
        strongest.get(ENFORCE_AUTHOR, (0, 0))[1] == 1,
        *map(bound, (MAX_FUTURE, MAX_MESSAGE_BYTES, QUOTA_MESSAGES, QUOTA_BYTES)),
    )


def user_identity(database: Tables, user: str) -> str:
    """Return what a user's deliveries are counted by, or "" for a name that nobody has.

    It outlasts a change of name, and nobody else gets it: a number of the tables comes again after
    its user was removed, but with another time.
    """
    rows = database.rows("SELECT id, created FROM users WHERE name = ?", (int, int), user)
    return f"#{rows[0][0]}-{rows[0][1]}" if rows else ""


def set_policies(
    database: Tables, repository: str, pattern: str, values: Sequence[tuple[str, str]]
) -> list[SetPolicy]:
    """Set policies, all or none; raises PolicyError and what names and patterns raise."""
    check_repository_name(repository)
    check_pattern(pattern)
    parsed = [(name, _parse(name, text)) for name, text in values]

    def put() -> None:
        for name, value in parsed:
            database.execute(
                "INSERT INTO policies (repository, pattern, name, value) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (repository, pattern, name) DO UPDATE SET value = excluded.value",
                repository,
                pattern,
                name,
                value,
            )

    database.together(put)
    return [SetPolicy(repository, pattern, name, _format(name, value)) for name, value in parsed]


def unset_policies(
    database: Tables, repository: str, pattern: str, names: Iterable[str]
) -> list[SetPolicy]:
    """Take back some policies of a pattern, or all if none is named, and return what they were.

    Raises UnknownPolicyError if one of them is not set, and then takes none back.
    """
    check_repository_name(repository)
    check_pattern(pattern)

    def take() -> list[SetPolicy]:
        had = {one.name: one for one in policies(database, repository) if one.pattern == pattern}
        wanted = list(dict.fromkeys(names)) or list(had)
        missing = [name for name in wanted if name not in had]
        if missing or not wanted:
            what = missing[0][:80] if missing else "policy"
            raise UnknownPolicyError(
                f"no {what} is set for {pattern!r} in {repository}",
                hint="`msglog admin policy list` shows all.",
            )
        for name in wanted:
            database.execute(
                "DELETE FROM policies WHERE repository = ? AND pattern = ? AND name = ?",
                repository,
                pattern,
                name,
            )
        return [had[name] for name in wanted]

    return database.together(take)


def policies(database: Tables, repository: str | None = None) -> list[SetPolicy]:
    """Return the policies that are set in one repository, or in all."""
    return [
        SetPolicy(place, pattern, name, _format(name, value))
        for place, pattern, name, value in _rows(database, repository)
    ]


def _rows(database: Tables, repository: str | None) -> list[Row]:
    rows = database.rows(
        "SELECT repository, pattern, name, value FROM policies"
        " WHERE CAST(?1 AS TEXT) IS NULL OR repository = ?1 ORDER BY 1, 2, 3",
        (str, str, str, int),
        repository,
    )
    for place, pattern, name, value in rows:
        known = name in POLICIES and _NONE <= value <= LARGEST
        if not (known and is_repository_name(place) and is_pattern(pattern)):
            raise database.damaged("a policy is none that there is")
    return rows


def _parse(name: str, text: str) -> int:
    if name not in POLICIES:
        from msglog.guess import question  # noqa: PLC0415 - only where something was mistyped

        raise PolicyError(
            f"there is no policy {name[:80]!r}",
            why=f"there are {', '.join(POLICIES)}",
            hint=question(name, POLICIES),
        )
    if name == ENFORCE_AUTHOR:
        if text in _SWITCH:
            return _SWITCH[text]
    elif text == "none":
        return _NONE
    elif text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= LARGEST:
        return int(text)
    raise PolicyError(
        f"{name} cannot be {text[:80]!r}",
        why="it is on or off" if name == ENFORCE_AUTHOR else "it is a number or none",
    )


def _format(name: str, value: int) -> str:
    if name == ENFORCE_AUTHOR:
        return "on" if value else "off"
    return "none" if value == _NONE else str(value)
