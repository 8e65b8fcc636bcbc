"""What a new message gets when the command does not say: its author, and tags."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from porcelain.places import repository_file, user_file

if TYPE_CHECKING:
    from msglog.config import Config
    from plumbing.context import Context


def settings_if_any(context: Context, repository: str) -> Config | None:
    """Return the settings that count for a repository, None if there is no file of them."""
    files = (user_file(context), repository_file(repository))
    if not any(map(os.path.exists, files)):
        return None
    from porcelain.settings import load_settings  # noqa: PLC0415 - only where there is a file

    return load_settings(context, repository)


def default_author(context: Context, settings: Config | None) -> str:
    """Return `$MSGLOG_AUTHOR`, else `user.author` of the configuration, else `login@host`."""
    if context.author is not None:
        return context.author
    configured = None if settings is None else settings.text("user.author")
    if configured is not None:
        return configured
    host = os.uname().nodename.partition(".")[0]
    return f"{context.login}@{host or 'localhost'}"


def default_tags(settings: Config | None) -> tuple[str, ...]:
    """Return the tags of `add.tags`."""
    return () if settings is None else settings.texts("add.tags")
