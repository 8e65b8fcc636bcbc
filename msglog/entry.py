"""Messages as programs get them and give them: entries of a log, and drafts of new ones."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, field
from msglog.key import key_object_id
from msglog.message import Foreign, decode_object
from msglog.message_scan import scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime
    from uuid import UUID

    from msglog.key import Key
    from msglog.message import Message, MetaValue


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a log.

    id: 64 hex digits, computed from all the rest. log: where it was found or put.
    microseconds: when it was, since 1970 UTC. offset: minutes east of UTC, to show it in.
    tags: sorted and unique. reply_to: the id of a message that may not be here, or None.
    needs: what a newer msglog would need to show it, else ""; of such a message nothing is known
    but its id, its time and its uuid.
    """

    id: str
    log: str
    microseconds: int
    offset: int
    author: str
    body: str
    tags: tuple[str, ...]
    meta: Mapping[str, MetaValue]
    reply_to: str | None
    uuid: UUID
    needs: str = ""

    @property
    def time(self) -> datetime:
        """When it was, in the zone of its author.

        Raises OverflowError before the year 1 and after the year 9999, which messages can be from.
        """
        from datetime import datetime, timedelta, timezone  # noqa: PLC0415 - where it is asked for

        zone = timezone(timedelta(minutes=self.offset))
        beginning = datetime(1970, 1, 1, tzinfo=zone)
        return beginning + timedelta(minutes=self.offset, microseconds=self.microseconds)

    def __str__(self) -> str:
        """Return its text."""
        return self.body

    def __hash__(self) -> int:
        """Return the same for what is equal: the id is computed from all the rest."""
        return hash((self.id, self.log))


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is to be added: what is not given is taken from where it is added.

    body: the text, not blank. tags: in any order. meta: texts, numbers, True and False by name.
    reply_to: a message, or the beginning of its id. author: None for the logbook's.
    time: a datetime, a date or a text such as "yesterday 12:30"; without a zone it is local time.
    None for now.
    """

    body: str
    tags: Iterable[str] = ()
    meta: Mapping[str, MetaValue] = field(default_factory=dict)
    reply_to: Entry | str | None = None
    author: str | None = None
    time: date | str | None = None


def read_entry(key: Key, data: bytes, log: str) -> Entry:
    """Return what an object of a log says, whose digest has been checked."""
    from uuid import UUID  # noqa: PLC0415 - 3 ms, and none where nothing is read

    oid = key_object_id(key).hex()
    plain = scan(data)
    if plain is not None:
        uuid, time, offset, author, body, tags, reply_to = plain
        replied = None if reply_to is None else reply_to.hex()
        return Entry(oid, log, time, offset, author, body, tags, {}, replied, UUID(bytes=uuid))
    found = decode_object(data)
    if isinstance(found, Foreign):
        return Entry(
            oid, log, found.time, 0, "", "", (), {}, None, UUID(bytes=found.uuid), found.needs
        )
    return entry_of(oid, found, log)


def entry_of(oid: str, message: Message, log: str) -> Entry:
    """Return a message as an entry of a log."""
    from uuid import UUID  # noqa: PLC0415 - as above

    return Entry(
        oid,
        log,
        message.time,
        message.offset,
        message.author,
        message.body,
        message.tags,
        dict(message.meta),
        None if message.reply_to is None else message.reply_to.hex(),
        UUID(bytes=message.uuid),
    )
