"""Where things lie: the folder of a repository, the user's own log, the configuration files."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.layout import CONFIG_NAME, FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plumbing.context import Context

__all__ = [
    "FOLDER",
    "cache_directory",
    "repository_file",
    "user_config",
    "user_directory",
    "user_file",
]


def user_directory(context: Context) -> str:
    """Return the folder in which the user's own log lies, under the XDG data folder."""
    data = context.environment.get("XDG_DATA_HOME", "")
    base = data if data.startswith("/") else os.path.join(context.home, ".local", "share")
    return os.path.join(base, "msglog")


def cache_directory(context: Context) -> str:
    """Return the folder for what can be made anew, under the XDG folder of caches."""
    caches = context.environment.get("XDG_CACHE_HOME", "")
    base = caches if caches.startswith("/") else os.path.join(context.home, ".cache")
    return os.path.join(base, "msglog")


def user_file(context: Context) -> str:
    """Return the path of the user's own configuration file."""
    return context.user_config or user_config(context.environment, context.home)


def user_config(environment: Mapping[str, str], home: str) -> str:
    """Return the path of the configuration file in the XDG configuration folder."""
    base = environment.get("XDG_CONFIG_HOME", "")
    folder = base if base.startswith("/") else os.path.join(home, ".config")
    return os.path.join(folder, "msglog", CONFIG_NAME)


def repository_file(repository: str) -> str:
    """Return the path of a repository's configuration file."""
    return os.path.join(repository, CONFIG_NAME)
