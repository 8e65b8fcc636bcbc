"""Who writes: the author of a new message when the command does not say."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from porcelain.places import repository_file, user_file

if TYPE_CHECKING:
    from plumbing.context import Context


def default_author(context: Context, repository: str) -> str:
    """Return `$MSGLOG_AUTHOR`, else `user.author` of the configuration, else `login@host`."""
    if context.author is not None:
        return context.author
    configured = _configured(context, repository)
    if configured is not None:
        return configured
    host = os.uname().nodename.partition(".")[0]
    return f"{context.login}@{host or 'localhost'}"


def _configured(context: Context, repository: str) -> str | None:
    files = (user_file(context), repository_file(repository))
    if not any(map(os.path.exists, files)):
        return None
    from porcelain.settings import load_settings  # noqa: PLC0415 - only where there is a file

    return load_settings(context, repository).text("user.author")
