"""`admin metrics`: says in numbers what a server account does and holds, for Prometheus."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError
from msglog.exposition import expose
from msglog.message_json import to_json
from porcelain.admin.measurement import measure
from porcelain.admin.place import opened
from porcelain.output_file import is_stream, open_stream

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.exposition import Family
    from plumbing.context import Context

_SUFFIX_BYTES = 4
_MODE = 0o644


class OutputError(LocalError):
    """The file that metrics are to go to cannot be written."""


def configure(parser: ArgumentParser) -> None:
    """Add the option of `admin metrics`."""
    parser.add_argument(
        "--output", metavar="FILE", help="replace FILE, in one step, for everybody to read"
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Print all metrics, or write them to a file."""
    with opened(arguments, context) as account:
        families = measure(account)
    text = _as_json(families) if context.json else expose(families)
    if arguments.output is None:
        context.write(text)
        return 0
    path = os.path.join(context.directory, arguments.output)
    if is_stream(path):
        _write_to(path, text)
    else:
        _replace(path, text, context)
    return 0


def _as_json(families: list[Family]) -> str:
    return "".join(
        [
            to_json(
                {
                    "metric": f"{family.name}{sample.suffix}",
                    "labels": dict(sample.labels),
                    "value": sample.value,
                }
            )
            for family in families
            for sample in family.samples
        ]
    )


def _write_to(path: str, text: str) -> None:
    """Write to a pipe or a device, in whose place no file may come."""
    try:
        with open_stream(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise OutputError(f"cannot write {path}", why=error.strerror or str(error)) from error


def _replace(path: str, text: str, context: Context) -> None:
    """Write a file under another name, which no collector reads, and then give it its own."""
    unfinished = f"{path}.new-{context.random(_SUFFIX_BYTES).hex()}"
    try:
        try:
            _write(unfinished, text)
            os.rename(unfinished, path)
        except BaseException:
            if os.path.lexists(unfinished):
                os.unlink(unfinished)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}", why=error.strerror or str(error)) from error


def _write(path: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(path, flags, _MODE), "wb") as file:
        os.fchmod(file.fileno(), _MODE)  # whatever the umask takes away
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
