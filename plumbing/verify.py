"""`verify`: checks every message, index and ref, and names what is damaged."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.errors import IntegrityError, UsageError
from msglog.inspection import Damage, Inspection, inspect_store
from msglog.message_json import to_json
from plumbing.local_repository import open_repository

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.repository import Repository
    from msglog.store.store import Ref
    from plumbing.context import Context


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


def run(
    arguments: Namespace,
    context: Context,
    display: Display | None = None,
    mending: Display | None = None,
) -> int:
    """Check all that refs reach; print a line for each ref and each damage; exit status 0 or 1.

    mending: where it is shown how far a repair has come, which is before that.
    """
    if arguments.repair is not None:
        from plumbing.repair import repair  # noqa: PLC0415 - seldom wanted

        repair(context, arguments.repair, give_up=arguments.give_up, display=mending)
        if mending is not None:
            mending.hide()
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
    total, before = sum(ref.count for ref in refs.values()), 0

    def say(text: str) -> None:
        if display is not None:
            display.hide()
        context.write(text)

    def count(checked: int) -> None:
        if display is not None:
            display.update(before + checked, total)

    for damage in inspect_store(repository, lambda: count(0)):
        all_sound = False
        say(_damage_line(None, damage, as_json=context.json))

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
