"""`verify`: checks every message, index and ref, and names what is damaged."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from plumbing import verify
from porcelain.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `verify`."""
    verify.configure(parser)


def run(arguments: Namespace, context: Context) -> int:
    """Check all that refs reach, showing how far that has come; exit status 0 or 1."""
    with Progress(context, "Mending") as mending, Progress(context, "Verifying") as progress:
        return verify.run(arguments, context, progress, mending)
