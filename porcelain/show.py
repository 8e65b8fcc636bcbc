"""`show`: shows messages in full by their ids."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import MsglogError
from msglog.key import key_object_id
from msglog.message import decode_object
from msglog.timestamp import readable
from porcelain.discovery import open_repository
from porcelain.display import one_line
from porcelain.message_json import message_fields, to_json
from porcelain.printing import make_printer, paged
from porcelain.rendering import full
from porcelain.selection import find_message
from porcelain.settings import load_settings

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.key import Key
    from msglog.message import Foreign, Message
    from msglog.repository import Repository
    from plumbing.context import Context
    from porcelain.printing import Printer


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `show`."""
    parser.add_argument("ids", nargs="+", metavar="ID", help="the beginning of a message's id")


def run(arguments: Namespace, context: Context) -> int:
    """Show each message that there is; then fail as the worst of those that there are not."""
    repository = open_repository(context)
    worst: MsglogError | None = None
    pager = load_settings(context, repository.folder).text("core.pager")
    with paged(context, None if context.json else pager) as output:
        printer = make_printer(output)
        for number, text in enumerate(arguments.ids):
            try:
                key = find_message(repository, text)
                data = repository.store.read_messages([key])[key]
            except MsglogError as error:
                if worst is not None:
                    _tell(context, min(worst, error, key=_severity))
                    error = max(worst, error, key=_severity)
                worst = error
                continue
            message = decode_object(data)
            if context.json:
                context.write(to_json(message_fields(key_object_id(key), message)))
            else:
                _print(output, repository, printer, key, message, first=number == 0)
    repository.close()
    if worst is not None:
        raise worst
    return 0


def _print(
    context: Context,
    repository: Repository,
    printer: Printer,
    key: Key,
    message: Message | Foreign,
    *,
    first: bool,
) -> None:
    if not first:
        printer.line("")
    details = [("Uuid", message.uuid.hex())]
    receipt = repository.store.receipts([key]).get(key)
    if receipt is not None:
        when = readable(receipt.time, context.local_offset(receipt.time))
        details.append(("From", f"{one_line(receipt.user)} on {when}"))
    printer.line(*full(key, message, details))


def _severity(error: MsglogError) -> int:
    return error.exit_status


def _tell(context: Context, error: MsglogError) -> None:
    context.stderr.write(f"msglog: error: {one_line(str(error))}\n".encode())
