"""Where things lie: the folder of a repository, the user's own log, the configuration files."""

from __future__ import annotations

from pathlib import Path

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plumbing.context import Context

FOLDER = ".msglog"
CONFIG_NAME = "config.toml"


def user_directory(context: Context) -> Path:
    """Return the folder in which the user's own log lies, under the XDG data folder."""
    data = context.environment.get("XDG_DATA_HOME", "")
    base = Path(data) if data.startswith("/") else context.home / ".local" / "share"
    return base / "msglog"


def user_file(context: Context) -> Path:
    """Return the path of the user's own configuration file."""
    return context.user_config or user_config(context.environment, context.home)


def user_config(environment: Mapping[str, str], home: Path) -> Path:
    """Return the path of the configuration file in the XDG configuration folder."""
    base = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else home / ".config"
    return folder / "msglog" / CONFIG_NAME


def repository_file(repository: Path) -> Path:
    """Return the path of a repository's configuration file."""
    return repository / CONFIG_NAME
