"""`show`: shows messages in full by their ids."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.errors import MsglogError
from msglog.key import key_object_id
from msglog.message import Message, decode_object
from msglog.selection import find_answered, find_message
from msglog.timestamp import readable
from porcelain.abbreviation import UniquePrefixes
from porcelain.dates import date_style, relative
from porcelain.discovery import open_repository
from porcelain.display import one_line
from porcelain.message_json import message_fields, to_json
from porcelain.printing import make_printer, paged, wants_color
from porcelain.rendering import full, title
from porcelain.settings import load_settings
from porcelain.whereabouts import whereabouts

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.message import Foreign
    from msglog.repository import Repository
    from plumbing.context import Context
    from porcelain.whereabouts import Whereabouts


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `show`."""
    parser.add_argument("ids", nargs="+", metavar="ID", help="the beginning of a message's id")
    parser.add_argument("--date", metavar="STYLE", help="local, written, human, iso, short ...")


def run(arguments: Namespace, context: Context) -> int:
    """Show each message that there is; then fail as the worst of those that there are not."""
    repository = open_repository(context)
    worst: MsglogError | None = None
    settings = load_settings(context, repository.folder)
    chosen = settings.text("list.date") if context.stdout_terminal else None
    dates = _Dates(context, arguments.date or chosen)
    with paged(context, None if context.json else settings.text("core.pager")) as output:
        printer = make_printer(output)
        prefixes = UniquePrefixes(repository) if wants_color(context) else None
        shown = False
        for text in arguments.ids:
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
            known = whereabouts(repository, settings, key)
            if context.json:
                fields = {**message_fields(key_object_id(key), message), **known.fields()}
                context.write(to_json(fields))
                continue
            if shown:
                printer.line("")
            shown = True
            details = _details(repository, message, known, dates)
            unique = None if prefixes is None else prefixes.length(key_object_id(key).hex())
            date = dates.aged if isinstance(message, Message) else dates.date
            printer.line(*full(key, message, details, date=date, unique=unique))
    repository.close()
    if worst is not None:
        raise worst
    return 0


class _Dates:
    """How times are shown: in the chosen style, or on local clocks and with how long ago it was."""

    def __init__(self, context: Context, style: str | None) -> None:
        self.date = date_style(style or "local", context)
        self._now = None if style else context.now()

    def aged(self, time: int, offset: int) -> str:
        """Show the time of a message, and what its author's clock showed."""
        shown = self.date(time, offset)
        if self._now is None:
            return shown
        age = relative(time, self._now)
        written = readable(time, offset)
        return f"{shown} ({age})" if written == shown else f"{shown} ({age}, written {written})"


def _details(
    repository: Repository, message: Message | Foreign, known: Whereabouts, dates: _Dates
) -> list[tuple[str, str]]:
    """Return the lines that `list` leaves out."""
    details = []
    if isinstance(message, Message):
        if message.reply_to is not None:
            answered = find_answered(repository, message.reply_to)
            said = answered and f"{one_line(answered.author)}: {title(answered.body)}"
            details.append(("To", said or "what is not here (yet)"))
        if message.extra:
            names = ", ".join(map(one_line, message.extra))
            details.append(("Also", f"{names}, for a newer msglog"))
    details.append(("Uuid", message.uuid.hex()))
    details.append(("Log", ", ".join(known.logs) or "none"))
    if known.receipt is not None:
        key = f" with the key {one_line(known.receipt.key)}" if known.receipt.key else ""
        when = dates.date(known.receipt.time, 0)
        details.append(("From", f"{one_line(known.receipt.user)} on {when}{key}"))
    if known.remotes:
        details.append(("Seen", f"at {', '.join(map(one_line, known.remotes))}"))
    for remote, refusal in known.refusals:
        why = one_line(refusal.why) or one_line(refusal.code)
        details.append(("Held", f"back, since {one_line(remote)} refuses it: {why}"))
    return details


def _severity(error: MsglogError) -> int:
    return error.exit_status


def _tell(context: Context, error: MsglogError) -> None:
    context.stderr.write(f"msglog: error: {one_line(str(error))}\n".encode())
