"""`complete`: prints names that a shell may complete a word to."""

from __future__ import annotations

from itertools import islice

from msglog.annotation import TYPE_CHECKING
from msglog.config import KNOWN, REMOTE_KEYS
from msglog.errors import MsglogError
from msglog.key import key_object_id
from msglog.message import Foreign, decode_object
from msglog.refname import LOG_PREFIX, REMOTE_PREFIX
from msglog.revision import short_name
from plumbing.local_repository import open_repository
from plumbing.opening import load_config

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from msglog.key import Key
    from msglog.repository import Repository
    from plumbing.context import Context

LOGS, REMOTES, TAGS, IDS, SETTINGS, REVISIONS = KINDS = (
    *("logs", "remotes", "tags", "ids", "settings"),
    "revisions",
)

_MESSAGES_LOOKED_AT = 500
"""In how many of its newest messages the tags of a log are looked for."""

_IDS_SHOWN = 50
_DIGITS_LOOKED_UP = 4
_DESCRIPTION = 60
_PLAIN = "._-/:+@"
_PLAIN_IN_TEXT = " ,()%=" + _PLAIN


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `complete`."""
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="how they begin")
    parser.add_argument("--describe", action="store_true", help="after a tab, say what each is")


def run(arguments: Namespace, context: Context) -> int:
    """Print a name a line, and nothing where there is no repository: nobody reads errors here."""
    lines: list[str] = []
    try:
        for name, description in _found(arguments.kind, arguments.prefix, context):
            if not (name.startswith(arguments.prefix) and _is_plain(name, _PLAIN)):
                continue
            shown = "".join([one for one in description if _is_plain(one, _PLAIN_IN_TEXT)])
            more = f"\t{shown[:_DESCRIPTION]}" if arguments.describe and shown.strip() else ""
            lines.append(f"{name}{more}\n")
    except MsglogError:
        pass
    context.write("".join(lines))
    return 0


def _is_plain(text: str, others: str) -> bool:
    """Tell whether a shell takes a word for nothing but itself.

    bash expands what it completes: of a message from somewhere, `$(...)` would be run.
    """
    return all(one.isalnum() or one in others for one in text)


def _found(kind: str, prefix: str, context: Context) -> Iterator[tuple[str, str]]:
    """Yield names with what they are."""
    if kind == SETTINGS:
        yield from _settings(context)
        return
    if kind == REMOTES:
        for name, remote in load_config(context).remotes().items():
            yield name, remote.url
        return
    repository = open_repository(context)
    try:
        if kind == LOGS:
            yield from _refs(repository, LOG_PREFIX)
        elif kind == REVISIONS:
            start, between, _ = prefix.rpartition("..")
            for name, description in _refs(repository, LOG_PREFIX, REMOTE_PREFIX):
                yield f"{start}{between}{name}", description
        elif kind == TAGS:
            for tag in sorted(_tags(repository)):
                yield tag, ""
        else:
            yield from _ids(repository, prefix)
    finally:
        repository.close()


def _refs(repository: Repository, *prefixes: str) -> Iterator[tuple[str, str]]:
    """Yield the shortest names of refs with how many messages they have."""
    for prefix in prefixes:
        for name, ref in repository.store.refs(prefix).items():
            yield short_name(name), f"{ref.count} {'message' if ref.count == 1 else 'messages'}"


def _settings(context: Context) -> Iterator[tuple[str, str]]:
    """Yield the keys that there may be, and then others that are set."""
    for key in KNOWN:
        yield key, ""
    config = load_config(context)
    possible = [f"remote.{name}.{key}" for name in config.remotes() for key in REMOTE_KEYS]
    for key in possible:
        yield key, ""
    for key, _, _ in config.entries():
        if key not in KNOWN and key not in possible:
            yield key, ""


def _newest(repository: Repository, limit: int) -> Iterator[tuple[Key, bytes]]:
    """Yield the newest messages of each log."""
    for log in repository.logs():
        keys = repository.keys(log.root, reverse=True)
        yield from repository.messages(islice(keys, limit))


def _tags(repository: Repository) -> set[str]:
    found: set[str] = set()
    for _, data in _newest(repository, _MESSAGES_LOOKED_AT):
        message = decode_object(data)
        if not isinstance(message, Foreign):
            found.update(message.tags)
    return found


def _ids(repository: Repository, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the ids of the newest messages, or of those that begin so."""
    length = repository.abbreviation_length()
    if len(prefix) >= _DIGITS_LOOKED_UP:
        keys = sorted(repository.find(prefix, limit=_IDS_SHOWN))
        messages = repository.messages(iter(keys))
        length = max(length, len(prefix) + 1)
    else:
        messages = _newest(repository, _IDS_SHOWN)
    for key, data in messages:
        message = decode_object(data)
        said = "" if isinstance(message, Foreign) else f"{message.author}: {message.body}"
        yield key_object_id(key).hex()[:length], said.partition("\n")[0]
