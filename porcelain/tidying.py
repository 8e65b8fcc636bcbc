"""Tidying one repository, for `gc` and `admin gc`: collects garbage, compresses, says what came."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.incoming import sweep
from porcelain.display import plural
from porcelain.message_json import to_json
from porcelain.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from msglog.repository import Repository
    from msglog.store.collection import Collected, Condensed, Retention
    from plumbing.context import Context


def add_dry_run(parser: ArgumentParser) -> None:
    """Give a parser `--dry-run`."""
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="only say what would be removed"
    )


def tidy(
    repository: Repository,
    retention: Retention,
    context: Context,
    *,
    dry_run: bool,
    name: str | None = None,
) -> Collected:
    """Tidy a repository, and print one line; name: which of an account's it is."""
    label = "" if name is None else f"{name}: "
    store = repository.store
    with Progress(context, f"{label}Looking through messages") as progress:
        collected = store.collect(retention, dry_run=dry_run, progress=progress.update)
    condensed = None
    if not dry_run:
        with Progress(context, f"{label}Compressing") as progress:
            condensed = store.condense(progress=progress.update)
        sweep(repository.folder, retention.before)
    if context.json:
        context.write(to_json(_record(collected, condensed, name)))
    elif not context.quiet:
        context.write(f"{label}{_sentence(collected, condensed)}\n")
    return collected


def _record(
    collected: Collected, condensed: Condensed | None, name: str | None
) -> dict[str, object]:
    record: dict[str, object] = {} if name is None else {"repository": name}
    record["dry_run"] = condensed is None
    record["messages"] = collected.messages
    record["nodes"] = collected.nodes
    record["receipts"] = collected.receipts
    record["roots"] = collected.roots
    if condensed is not None:
        record["compressed"] = condensed.messages
        record["bytes_before"] = condensed.before
        record["bytes"] = condensed.after
    return record


def _sentence(collected: Collected, condensed: Condensed | None) -> str:
    counts = (
        (collected.messages, "message"),
        (collected.nodes, "index node"),
        (collected.receipts, "receipt"),
        (collected.roots, "old root"),
    )
    removed = ", ".join([plural(number, noun) for number, noun in counts if number])
    if condensed is None:
        return f"Would remove {removed or 'nothing'}"
    said = [f"Removed {removed or 'nothing'}"]
    if condensed.messages:
        said.append(f"compressed {plural(condensed.messages, 'message')}")
    said.append(f"{shown_size(condensed.after)}, was {shown_size(condensed.before)}")
    return "; ".join(said)


def shown_size(number: int) -> str:
    """Return a number of bytes as people say it, by powers of 1,000."""
    size = float(number)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
