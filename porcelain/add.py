"""`add`: puts messages into a log of this repository."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.errors import IntegrityError, LocalError, MsglogError, UsageError
from msglog.key import make_key
from msglog.message import BODY_BYTES_LIMIT, UUID_BYTES, Message
from msglog.objectid import DIGEST_BYTES, ObjectId, ObjectIdError, object_id, parse_object_id
from msglog.refname import DEFAULT_LOG
from porcelain.authorship import default_author, default_tags, settings_if_any
from porcelain.discovery import open_repository
from porcelain.words import REMAINDER

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Iterator, Mapping

    from msglog.key import Key
    from msglog.message import MetaValue
    from msglog.repository import Repository
    from plumbing.context import Context

BATCH_BYTES_LIMIT = 1 << 28
"""How much `--batch` reads at most, because it is one transaction."""

BATCH_MESSAGES_LIMIT = 2_000_000
"""How many lines of that it takes at most: each message costs some 400 bytes beside its own."""


class EmptyMessageError(UsageError):
    """There is nothing to add."""


class MessageInputError(UsageError):
    """What was given cannot be a message."""


class UntoldError(LocalError):
    """Messages were added, but nobody can be told: who tries again adds them twice."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `add`."""
    add = parser.add_argument
    add(
        "text", nargs="*", metavar="TEXT", help="the message, joined by spaces; `-` alone for stdin"
    )
    add("-m", "--message", action="append", metavar="TEXT", help="a paragraph of the message")
    add("-F", "--file", metavar="FILE", help="read the message from a file; `-` for stdin")
    add("--log", default=DEFAULT_LOG, metavar="NAME", help="the log to add to (main)")
    add("--tag", action="append", default=[], metavar="TAG", help="a tag; may be repeated")
    add("--meta", action="append", default=[], metavar="K=V", help="a value; may be repeated")
    add("--reply-to", metavar="ID", help="the message that this one answers")
    add("--author", metavar="NAME", help="who writes (user.author, else login@host)")
    add("--time", metavar="TIME", help="when it was, such as 12:30 or '2 hours ago'")
    add("--no-default-tags", action="store_true", help="leave out the tags of add.tags")
    add("--batch", action="store_true", help="add one message a line of stdin, all or none")
    add("--lines", metavar="N", help="with --run: how many last lines to keep (20)")
    add("--run", nargs=REMAINDER, metavar="CMD", help="run a command and add how it ended")


def run(arguments: Namespace, context: Context) -> int:
    """Add what the arguments, a file, standard input, the editor or a command say."""
    repository = open_repository(context)
    repository.check_writable()
    repository.log(arguments.log)
    if arguments.run is not None or arguments.lines is not None:
        return _run_command(arguments, context, repository)
    if not arguments.batch and context.stdin_terminal and not _sources(arguments):
        return _edit(arguments, context, repository)
    messages = (
        _batch(arguments, context, repository)
        if arguments.batch
        else _one(arguments, context, repository)
    )
    _report(context, repository, _store(arguments.log, context, repository, messages))
    repository.close()
    return 0


def _store(
    log: str, context: Context, repository: Repository, messages: Iterable[tuple[int, Message]]
) -> list[tuple[Key, bytes]]:
    encoded = {}
    added: list[tuple[Key, bytes]] = []
    for number, message in messages:
        data = _encode(number, message)
        key = make_key(message.time, object_id(data))
        encoded[key] = data
        added.append((key, data))
    if encoded:
        repository.add(log, encoded, time=context.now())
    return added


def _encode(number: int, message: Message) -> bytes:
    try:
        return message.encode()
    except IntegrityError as error:
        where = f"line {number} cannot be" if number else "cannot make"
        raise MessageInputError(f"{where} a message", why=error.why) from error


def _report(context: Context, repository: Repository, added: list[tuple[Key, bytes]]) -> None:
    """Print what was added; raises UntoldError if that cannot be written."""
    try:
        _print(context, repository, added)
        context.stdout.flush()
    except BrokenPipeError:
        raise  # whoever read it has gone on purpose
    except OSError as error:
        what = _short_id(added[0][0], repository.abbreviation_length())
        if len(added) > 1:
            what = f"{len(added)} messages"
        raise _untold(what, error.strerror or "") from error


def _untold(what: str, why: str) -> UntoldError:
    return UntoldError(f"added {what}, but standard output cannot be written", why=why)


def _print(context: Context, repository: Repository, added: list[tuple[Key, bytes]]) -> None:
    if context.quiet:
        return
    if context.json:
        from porcelain.message_json import json_text  # noqa: PLC0415 - only with --json

        for key, data in added:
            context.write(json_text(key, data))
    elif added:
        length = repository.abbreviation_length()
        for key, _ in added:
            context.write(f"{_short_id(key, length)}\n")


def _short_id(key: Key, length: int) -> str:
    return key[-DIGEST_BYTES:].hex()[:length]


def _one(
    arguments: Namespace, context: Context, repository: Repository
) -> Iterator[tuple[int, Message]]:
    template = _template(arguments, context, repository)
    body = _body(arguments, context)
    _check_not_empty(body)
    yield 0, template.with_body(body)


def _check_not_empty(body: str) -> None:
    if not body.strip():
        raise EmptyMessageError("there is nothing to add", why="the message is empty")


def _edit(arguments: Namespace, context: Context, repository: Repository) -> int:
    """Add what the user writes in an editor; should that fail, the text is kept."""
    from porcelain.editor import Draft  # noqa: PLC0415 - only on a terminal

    template = _template(arguments, context, repository)
    _encode(0, template.with_body("what is wrong with the rest is said before somebody writes"))
    with Draft(context, repository, arguments.log, template.message) as draft:
        body = draft.edit()
        _check_not_empty(body)
        added = _store(arguments.log, context, repository, [(0, template.with_body(body))])
        draft.keep = False
    _report(context, repository, added)
    repository.close()
    return 0


def _run_command(arguments: Namespace, context: Context, repository: Repository) -> int:
    """Run a command and add how it ended; return its own exit status."""
    from msglog.dataclass import replace  # noqa: PLC0415 - as above
    from porcelain.display import one_line  # noqa: PLC0415 - only with --run
    from porcelain.printing import note, tell_all  # noqa: PLC0415 - as above
    from porcelain.recorded_run import (  # noqa: PLC0415 - as above
        EXAMPLE,
        CommandStartError,
        run_command,
    )

    _check_run(arguments)
    lines = _lines(arguments.lines)
    template = _template(arguments, context, repository)
    introduction = _body(arguments, context) if _sources(arguments) else ""
    for name in EXAMPLE.meta():
        if name in template.message.meta:
            raise MessageInputError(f"--meta says {name!r}", why="--run says it")
    # What is wrong with the rest is said now, and not after hours of work.
    _encode(0, template.with_body(EXAMPLE.body(introduction), EXAMPLE.meta()))
    repository.close()
    try:
        outcome = run_command(arguments.run, context, lines=lines)
    except CommandStartError as error:
        tell_all(context, [f"error: {error}"])
        return error.status
    message = template.with_body(outcome.body(introduction), outcome.meta())
    try:
        repository = open_repository(context)
        added = _store(arguments.log, context, repository, [(0, message)])
    except MsglogError:
        tell_all(context, [outcome.verdict])
        raise
    short = _short_id(added[0][0], repository.abbreviation_length())
    if context.json:  # standard output is the command's
        _report(replace(context, stdout=context.stderr), repository, added)
        context.stderr.flush()
    else:
        note(context, f"msglog: {short} {one_line(outcome.verdict)}")
    repository.close()
    if outcome.unshown:
        raise _untold(short, outcome.unshown)
    return outcome.status


def _check_run(arguments: Namespace) -> None:
    if arguments.run and arguments.run[0] == "--":
        del arguments.run[0]
    if not arguments.run:
        raise MessageInputError(
            "there is no command to run", hint="Write it last: msglog add --run make -j4"
        )
    if arguments.batch:
        raise MessageInputError("--batch and --run exclude each other")
    if "-" in (arguments.file, *arguments.text):
        raise MessageInputError("with --run, standard input is the command's")


def _lines(text: str | None) -> int:
    from porcelain.recorded_run import LINES, LINES_LIMIT  # noqa: PLC0415 - only with --run

    if text is None:
        return LINES
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= LINES_LIMIT):
        raise MessageInputError(
            f"{text[:80]!r} is not a number of lines", why=f"0 to {LINES_LIMIT} are kept"
        )
    return int(text)


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
        if number > BATCH_MESSAGES_LIMIT:
            raise MessageInputError(f"a batch is at most {BATCH_MESSAGES_LIMIT} lines")
        line = _decode(raw, f"line {number}").rstrip("\r\n")
        if context.json and number == 1:
            line = line.removeprefix("\ufeff")  # a byte order mark, as `import` takes it
        if not line.strip():
            continue
        if context.json:
            yield number, template.from_json(line, number)
        else:
            yield number, template.with_body(line)


class _Template:
    """What messages have in common that are added together."""

    def __init__(self, message: Message, context: Context, *, timed: bool) -> None:
        self.message = message
        self._context = context
        self._timed = timed
        self._last = message.time - 1

    def with_body(self, body: str, meta: Mapping[str, MetaValue] | None = None) -> Message:
        """Return a message of its own with this body and more meta, later than the last one."""
        from msglog.dataclass import replace  # noqa: PLC0415 - loaded already, not public here

        return replace(
            self.message,
            body=body,
            uuid=self._context.random(UUID_BYTES),
            time=self._next_time(),
            meta={**self.message.meta, **meta} if meta else self.message.meta,
        )

    def from_json(self, line: str, number: int) -> Message:
        """Return the message that a line of JSON says."""
        from porcelain.message_json import parse_message  # noqa: PLC0415 - only with --json

        try:
            message = parse_message(
                line,
                author=self.message.author,
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
            return self.message.time
        self._last = max(self._last + 1, self._context.now())
        return self._last


def _template(arguments: Namespace, context: Context, repository: Repository) -> _Template:
    now = context.now()
    time, offset = now, context.local_offset(now)
    if arguments.time is not None:
        from msglog.when import parse  # noqa: PLC0415 - only with --time

        moment = parse(arguments.time, now=now, local_offset=context.local_offset)
        time, offset = moment.time, moment.offset
    settings = settings_if_any(context, repository.folder)
    author = arguments.author
    if author is None:
        author = default_author(context, settings)
    tags = [*arguments.tag]
    if not arguments.no_default_tags:
        tags += default_tags(settings)
    meta = {}
    if arguments.meta:
        from porcelain.meta import parse_meta  # noqa: PLC0415 - only with --meta

        meta = parse_meta(arguments.meta)
    reply_to = None if arguments.reply_to is None else _find(repository, arguments.reply_to)
    message = Message(b"", time, offset, author, "", tuple(sorted(set(tags))), meta, reply_to)
    return _Template(message, context, timed=arguments.time is not None)


def _find(repository: Repository, text: str) -> ObjectId:
    """Return the id of the message that is answered; a whole id may be of one not here yet."""
    from msglog.selection import (  # noqa: PLC0415 - only with --reply-to
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


def _sources(arguments: Namespace) -> int:
    """Return in how many ways the message is given."""
    given = (bool(arguments.text), bool(arguments.message), arguments.file is not None)
    return sum(given)


def _body(arguments: Namespace, context: Context) -> str:
    if _sources(arguments) > 1:
        raise MessageInputError("say the message once: as arguments, with -m or with -F")
    if arguments.message:
        return "\n\n".join(arguments.message)
    if arguments.text and arguments.text != ["-"]:
        # Between words it is a dash; in front or at the end somebody may mean a pipe.
        if "-" in (arguments.text[0], arguments.text[-1]) and "--" not in context.words:
            raise MessageInputError(
                "- is standard input only where no other text is",
                hint="Write it after -- where it is text: `msglog add -- - TEXT`.",
            )
        return " ".join(arguments.text)
    if arguments.file not in (None, "-"):
        return _read_file(os.path.join(context.directory, arguments.file))
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
