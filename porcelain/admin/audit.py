"""`admin audit`: shows what was done and refused in a server account."""

from __future__ import annotations

from argparse import ArgumentTypeError

from msglog.account.audit import records
from msglog.annotation import TYPE_CHECKING
from msglog.message_json import rfc3339, to_json
from msglog.timestamp import readable
from msglog.when import parse_bound
from porcelain.admin.place import opened
from porcelain.display import one_line, plural
from porcelain.printing import note

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.audit import AuditRecord
    from plumbing.context import Context

LIMIT = 1000
"""How many records are shown where nobody says."""

LARGEST_LIMIT = 1_000_000_000


def configure(parser: ArgumentParser) -> None:
    """Add the options of `admin audit`."""
    parser.add_argument("--since", metavar="TIME", help="what was done at TIME or later")
    parser.add_argument("--user", metavar="USER", help="what this user did")
    parser.add_argument(
        "-n",
        "--limit",
        metavar="N",
        type=_number,
        default=LIMIT,
        help=f"the last N records ({LIMIT})",
    )
    parser.set_defaults(run=_run)


def _run(arguments: Namespace, context: Context) -> int:
    since = None
    if arguments.since is not None:
        since = parse_bound(
            arguments.since, last=False, now=context.now(), local_offset=context.local_offset
        ).time
    limit: int = arguments.limit
    with opened(arguments, context) as account:
        found = records(account.database, since=since, user=arguments.user, limit=limit + 1)
    if len(found) > limit:
        note(context, f"The last {plural(limit, 'record')}; `--limit N` shows more.")
        found = found[1:]
    for record in found:
        fields = to_json(_fields(record)) if context.json else _line(record, context)
        context.write(fields)
    return 0


def _fields(record: AuditRecord) -> dict[str, object]:
    visit, act = record.visit, record.act
    return {
        "time": rfc3339(record.time, 0),
        "user": visit.user,
        "key": visit.key,
        "address": visit.address,
        "repository": visit.repository,
        "session": visit.session,
        "operation": act.operation,
        "log": act.log,
        "messages": act.messages,
        "bytes": act.size,
        "refused": act.refused,
        "result": act.result,
        "detail": act.detail,
    }


def _line(record: AuditRecord, context: Context) -> str:
    visit, act = record.visit, record.act
    words = [
        readable(record.time, context.local_offset(record.time)),
        f"{visit.user:<16}",
        f"{visit.address or '-':<15}",
        f"{act.operation:<9}",
        act.result,
        visit.repository,
        act.log,
    ]
    if act.messages or act.size:
        words.append(f"{plural(act.messages, 'message')}, {plural(act.size, 'byte')}")
    if act.refused:
        words.append(f"{act.refused} refused")
    words.append(act.detail)
    return one_line(" ".join([word for word in words if word])) + "\n"


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 11 and 1 <= int(text) <= LARGEST_LIMIT:
        return int(text)
    raise ArgumentTypeError(f"{text[:40]!r} is not a number from 1 on")
