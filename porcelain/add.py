"""`add`: puts messages into a log of this repository."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError, UsageError
from msglog.key import make_key
from msglog.message import BODY_BYTES_LIMIT, UUID_BYTES, Message
from msglog.objectid import DIGEST_BYTES, ObjectId, ObjectIdError, object_id, parse_object_id
from msglog.refname import DEFAULT_LOG
from porcelain.authorship import default_author
from porcelain.discovery import open_repository

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from msglog.key import Key
    from msglog.repository import Repository
    from plumbing.context import Context

BATCH_BYTES_LIMIT = 1 << 28
"""How much `--batch` reads at most, because it is one transaction."""


class EmptyMessageError(UsageError):
    """There is nothing to add."""


class MessageInputError(UsageError):
    """What was given cannot be a message."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `add`."""
    add = parser.add_argument
    add("text", nargs="*", metavar="TEXT", help="the message, joined by spaces; `-` for stdin")
    add("-m", "--message", action="append", metavar="TEXT", help="a paragraph of the message")
    add("-F", "--file", metavar="FILE", help="read the message from a file; `-` for stdin")
    add("--log", default=DEFAULT_LOG, metavar="NAME", help="the log to add to (main)")
    add("--tag", action="append", default=[], metavar="TAG", help="a tag; may be repeated")
    add("--meta", action="append", default=[], metavar="K=V", help="a value; may be repeated")
    add("--reply-to", metavar="ID", help="the message that this one answers")
    add("--author", metavar="NAME", help="who writes (user.author, else login@host)")
    add("--time", metavar="TIME", help="when it was, such as 12:30 or '2 hours ago'")
    add("--batch", action="store_true", help="add one message a line of stdin, all or none")


def run(arguments: Namespace, context: Context) -> int:
    """Add what the arguments, a file, standard input or the editor say."""
    repository = open_repository(context)
    log = repository.log(arguments.log)
    messages = (
        _batch(arguments, context, repository)
        if arguments.batch
        else _one(arguments, context, repository)
    )
    encoded = {}
    added: list[tuple[Key, Message]] = []
    for number, message in messages:
        try:
            data = message.encode()
        except IntegrityError as error:
            where = f"line {number} cannot be" if number else "cannot make"
            raise MessageInputError(f"{where} a message", why=error.why) from error
        key = make_key(message.time, object_id(data))
        encoded[key] = data
        added.append((key, message))
    if encoded:
        repository.add(log.name, encoded, time=context.now())
    _report(context, repository, added)
    repository.close()
    return 0


def _report(context: Context, repository: Repository, added: list[tuple[Key, Message]]) -> None:
    if context.json:
        from msglog.key import key_object_id  # noqa: PLC0415 - only with --json
        from porcelain.message_json import message_fields, to_json  # noqa: PLC0415 - as above

        for key, message in added:
            context.write(to_json(message_fields(key_object_id(key), message)))
    elif not context.quiet and added:
        length = repository.abbreviation_length()
        for key, _ in added:
            context.write(f"{key[-DIGEST_BYTES:].hex()[:length]}\n")


def _one(
    arguments: Namespace, context: Context, repository: Repository
) -> Iterator[tuple[int, Message]]:
    template = _template(arguments, context, repository)
    body = _body(arguments, context, repository.folder)
    if not body.strip():
        raise EmptyMessageError("there is nothing to add", why="the message is empty")
    yield 0, template.with_body(body)


def _batch(
    arguments: Namespace, context: Context, repository: Repository
) -> Iterator[tuple[int, Message]]:
    if arguments.text or arguments.message or arguments.file is not None:
        raise MessageInputError("--batch reads messages from standard input, not from arguments")
    template = _template(arguments, context, repository)
    size = 0
    number = 0
    # Never more at once than is left of the limit, even if there are no line ends.
    while raw := context.stdin.readline(BATCH_BYTES_LIMIT - size + 1):
        number += 1
        size += len(raw)
        if size > BATCH_BYTES_LIMIT:
            raise MessageInputError(f"a batch is at most {BATCH_BYTES_LIMIT >> 20} MiB")
        line = _decode(raw, f"line {number}").rstrip("\r\n")
        if not line.strip():
            continue
        if context.json:
            yield number, template.from_json(line, number)
        else:
            yield number, template.with_body(line)


class _Template:
    """What messages have in common that are added together."""

    def __init__(self, message: Message, context: Context, *, timed: bool) -> None:
        self._message = message
        self._context = context
        self._timed = timed
        self._last = message.time - 1

    def with_body(self, body: str) -> Message:
        """Return a message of its own with this body, later than the one before it."""
        from msglog.dataclass import replace  # noqa: PLC0415 - loaded already, not public here

        return replace(
            self._message, body=body, uuid=self._context.random(UUID_BYTES), time=self._next_time()
        )

    def from_json(self, line: str, number: int) -> Message:
        """Return the message that a line of JSON says."""
        from porcelain.message_json import parse_message  # noqa: PLC0415 - only with --json

        try:
            message = parse_message(
                line,
                author=self._message.author,
                uuid=self._context.random(UUID_BYTES),
                now=self._next_time(),
                local_offset=self._context.local_offset,
            )
        except UsageError as error:
            raise MessageInputError(
                f"line {number}: {error.what}", why=error.why, hint=error.hint
            ) from error
        if not message.body.strip():
            raise EmptyMessageError(f"line {number} has no body")
        return message

    def _next_time(self) -> int:
        if self._timed:
            return self._message.time
        self._last = max(self._last + 1, self._context.now())
        return self._last


def _template(arguments: Namespace, context: Context, repository: Repository) -> _Template:
    now = context.now()
    time, offset = now, context.local_offset(now)
    if arguments.time is not None:
        from porcelain.when import parse  # noqa: PLC0415 - only with --time

        moment = parse(arguments.time, now=now, local_offset=context.local_offset)
        time, offset = moment.time, moment.offset
    author = arguments.author
    if author is None:
        author = default_author(context, repository.folder)
    meta = {}
    if arguments.meta:
        from porcelain.meta import parse_meta  # noqa: PLC0415 - only with --meta

        meta = parse_meta(arguments.meta)
    reply_to = None if arguments.reply_to is None else _find(repository, arguments.reply_to)
    tags = tuple(sorted(set(arguments.tag)))
    message = Message(b"", time, offset, author, "", tags, meta, reply_to)
    return _Template(message, context, timed=arguments.time is not None)


def _find(repository: Repository, text: str) -> ObjectId:
    """Return the id of the message that is answered; a whole id may be of one not here yet."""
    from porcelain.selection import (  # noqa: PLC0415 - only with --reply-to
        UnknownMessageError,
        find_message,
    )

    try:
        return ObjectId(find_message(repository, text)[-DIGEST_BYTES:])
    except UnknownMessageError:
        try:
            return parse_object_id(text.lower())
        except ObjectIdError:
            pass
        raise


def _body(arguments: Namespace, context: Context, repository: str) -> str:
    sources = [bool(arguments.text), bool(arguments.message), arguments.file is not None]
    if sum(sources) > 1:
        raise MessageInputError("say the message once: as arguments, with -m or with -F")
    if arguments.message:
        return "\n\n".join(arguments.message)
    if arguments.text and arguments.text != ["-"]:
        return " ".join(arguments.text)
    if arguments.file not in (None, "-"):
        return _read_file(os.path.join(context.directory, arguments.file))
    if not any(sources) and context.stdin_terminal:
        from porcelain.editor import edit_message  # noqa: PLC0415 - only on a terminal

        return edit_message(context, repository, arguments.log)
    return _decode(context.stdin.read(BODY_BYTES_LIMIT + 2), "standard input").rstrip("\r\n")


def _read_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return _decode(file.read(BODY_BYTES_LIMIT + 2), str(path)).rstrip("\r\n")
    except OSError as error:
        raise MessageInputError(f"cannot read {path}", why=error.strerror or "") from error


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MessageInputError(f"{where} is not UTF-8", why=f"at byte {error.start}") from error
