"""`verify`: checks every message, index and ref, and names what is damaged."""

from __future__ import annotations

from itertools import takewhile

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.dataclass import dataclass
from msglog.encoding import EncodingError
from msglog.errors import IntegrityError, UsageError
from msglog.index.verification import Fault, examine
from msglog.key import key_object_id, key_time
from msglog.message import decode_object
from msglog.message_json import to_json
from msglog.message_scan import scan
from msglog.objectid import object_id
from plumbing.local_repository import open_repository

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator, Sequence

    from msglog.index.verification import Trail
    from msglog.key import Key
    from msglog.objectid import ObjectId
    from msglog.repository import Repository
    from msglog.store.store import Ref
    from plumbing.context import Context

_READ_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged thing; kind: "message", "node", "ref" or "store". name: its id, or what it is."""

    kind: str
    name: str
    why: str


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `verify`."""
    parser.add_argument(
        "--repair",
        nargs="?",
        const="",
        metavar="REMOTE",
        help="mend what can be mended, with what a remote has",
    )
    parser.add_argument(
        "--give-up",
        action="store_true",
        help="with --repair: take out of the logs what nobody has any more",
    )


class Display(Protocol):
    """Where it is shown how far the work has come."""

    def update(self, done: int, total: int | None = None) -> None:
        """Say that done of total messages were checked."""

    def hide(self) -> None:
        """Make room for a line on standard output."""


def run(arguments: Namespace, context: Context, display: Display | None = None) -> int:
    """Check all that refs reach; print a line for each ref and each damage; exit status 0 or 1."""
    if arguments.repair is not None:
        from plumbing.repair import repair  # noqa: PLC0415 - seldom wanted

        repair(context, arguments.repair, give_up=arguments.give_up)
    elif arguments.give_up:
        raise UsageError("--give-up goes with --repair")
    try:
        repository = open_repository(context)
    except IntegrityError as error:
        damage = Damage("store", str(context.repository_directory), f"{error.what}: {error.why}")
        context.write(_damage_line(None, damage, as_json=context.json))
        return 1
    try:
        return 0 if _check(repository, context, display) else 1
    finally:
        repository.close()


def _check(repository: Repository, context: Context, display: Display | None) -> bool:
    """Check and report on every ref; return whether all is sound."""
    try:
        refs = repository.store.refs()
    except IntegrityError as error:
        damage = Damage("store", repository.folder, f"{error.what}: {error.why}")
        context.write(_damage_line(None, damage, as_json=context.json))
        return False
    all_sound = True
    for damage in _check_store(repository):
        all_sound = False
        context.write(_damage_line(None, damage, as_json=context.json))
    total, before = sum(ref.count for ref in refs.values()), 0

    def say(text: str) -> None:
        if display is not None:
            display.hide()
        context.write(text)

    def count(checked: int) -> None:
        if display is not None:
            display.update(before + checked, total)

    inspection = Inspection(repository, count)
    for number, (name, ref) in enumerate(refs.items(), 1):
        sound = True
        for damage in inspection.check_ref(name, ref, remember=number < len(refs)):
            sound = False
            say(_damage_line(name, damage, as_json=context.json))
        all_sound = all_sound and sound
        say(_ref_line(name, ref, sound=sound, context=context))
        before += ref.count
    return all_sound


def _check_store(repository: Repository) -> Iterator[Damage]:
    """Yield what is damaged of what the store keeps for itself, whatever refs reach."""
    try:
        for fault in repository.store.faults():
            yield Damage("store", str(repository.path), fault)
    except IntegrityError as error:
        yield Damage("store", str(repository.path), f"{error.what}: {error.why}")


class Inspection:
    """Checks the refs of a repository one after the other, and what they share once.

    Of the refs checked with `remember`, it knows the inner nodes below which all was sound, the
    messages too: some 100 bytes for each, of which a log has one for 65 messages or so. Nothing
    below such a node is visited again. What is damaged, and all above it, is visited for each ref.

    counted: told now and then how many messages of a ref were checked.
    """

    def __init__(
        self, repository: Repository, counted: Callable[[int], None] = lambda _: None
    ) -> None:
        self._repository = repository
        self._counted = counted
        self._sound: set[ObjectId] = set()

    def check_ref(self, name: str, ref: Ref, *, remember: bool) -> Iterator[Damage]:
        """Yield all damage below a ref: its index, the messages that it names, its own count."""
        count = 0
        complete = True
        visited: set[ObjectId] = set()
        unsound: set[ObjectId] = set()
        pending: list[tuple[Trail, tuple[Key, ...]]] = []
        waiting = 0
        try:
            for trail, found in examine(
                self._repository.store.find_nodes, ref.root, known=self._sound
            ):
                if isinstance(found, Fault):
                    complete = False
                    unsound.update(_nodes_of(trail))
                    yield Damage("node", found.node.hex(), found.why)
                    continue
                if remember:
                    # above a node that was visited, all are
                    above = takewhile(lambda oid: oid not in visited, _nodes_of(trail[1]))
                    visited.update(above)
                if isinstance(found, int):
                    count += found
                    continue
                count += len(found)
                waiting += len(found)
                pending.append((trail, found))
                if waiting >= _READ_AT_ONCE:
                    yield from self._check_messages(pending, unsound)
                    pending, waiting = [], 0
                    self._counted(count)
            yield from self._check_messages(pending, unsound)
            visited -= unsound
            if self._sound:
                self._sound |= visited
            else:
                self._sound = visited
        except IntegrityError as error:
            complete = False
            yield Damage("store", self._repository.folder, f"{error.what}: {error.why}")
        if complete and count != ref.count:
            yield Damage("ref", name, f"it says {ref.count} messages, and there are {count}")

    def _check_messages(
        self, pending: Sequence[tuple[Trail, tuple[Key, ...]]], unsound: set[ObjectId]
    ) -> Iterator[Damage]:
        """Yield the damaged messages of some leaves, and note the nodes above them as unsound."""
        found = self._repository.store.find_messages([key for _, keys in pending for key in keys])
        for trail, keys in pending:
            for key in keys:
                why = message_fault(key, found.get(key))
                if why:
                    unsound.update(_nodes_of(trail))
                    yield Damage("message", key_object_id(key).hex(), why)


def _nodes_of(trail: Trail | None) -> Iterator[ObjectId]:
    """Yield the nodes of a trail, the lowest first."""
    while trail is not None:
        yield trail[0]
        trail = trail[1]


def message_fault(key: Key, data: bytes | None) -> str:
    """Return what is wrong with the object of a key, or ""."""
    if data is None:
        return "it is missing"
    if object_id(data) != key_object_id(key):
        return "its bytes have another SHA-256"
    plain = scan(data)
    try:
        time = decode_object(data).time if plain is None else plain[1]
    except EncodingError as error:
        return error.why
    return "" if time == key_time(key) else "its time is not that of its key"


def _damage_line(ref: str | None, damage: Damage, *, as_json: bool) -> str:
    if as_json:
        return to_json({"ref": ref, "kind": damage.kind, "id": damage.name, "why": damage.why})
    where = "" if ref is None else f"{ref}: "
    return f"{where}{damage.kind} {damage.name}: {damage.why}\n"


def _ref_line(name: str, ref: Ref, *, sound: bool, context: Context) -> str:
    if context.json:
        fields = {"ref": name, "root": ref.root.hex(), "count": ref.count, "sound": sound}
        return to_json(fields)
    if context.quiet:
        return ""
    said = "sound" if sound else "damaged"
    many = "" if ref.count == 1 else "s"
    return f"{name}: {ref.count} message{many}, root {ref.root.hex()}, {said}\n"
