"""`gc`: removes what no log needs any more, and saves space."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.config import GRACE
from msglog.duration import microseconds
from msglog.layout import SEARCH_NAME
from msglog.repository import Repository
from msglog.store.collection import DEFAULT_GRACE, Retention
from porcelain.discovery import find_repository
from porcelain.settings import load_settings
from porcelain.tidying import add_dry_run, tidy

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the option of `gc`."""
    add_dry_run(parser)


def run(arguments: Namespace, context: Context) -> int:
    """Tidy the repository that is found."""
    path = find_repository(context)
    grace = load_settings(context, path).text(GRACE)
    retention = Retention(context.now(), DEFAULT_GRACE if grace is None else microseconds(grace))
    repository = Repository.open(path)
    try:
        collected = tidy(repository, retention, context, dry_run=arguments.dry_run)
    finally:
        repository.close()
    index = os.path.join(path, SEARCH_NAME)
    if collected.messages and not arguments.dry_run and os.path.lexists(index):
        from msglog.search.catalogue import discard  # noqa: PLC0415 - few have been searched

        discard(index)  # words of the messages that are gone are in it
    return 0
