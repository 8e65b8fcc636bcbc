"""The library that speaks to PostgreSQL, which is installed only where it was asked for."""

from __future__ import annotations

import importlib

from msglog.errors import LocalError


class MissingDriverError(LocalError):
    """A repository or an account is in PostgreSQL, and psycopg is not here or does not work."""


def import_driver(*, alone: bool = False) -> None:
    """Import psycopg; raises MissingDriverError. To be said before what builds on it is imported.

    alone: this process is short, and nothing else of it uses psycopg; see `lean_psycopg`.
    """
    try:
        if alone:
            from msglog.lean_psycopg import import_psycopg  # noqa: PLC0415 - only for this

            import_psycopg()
        else:
            importlib.import_module("psycopg")
    except ImportError as error:
        raise MissingDriverError(
            "PostgreSQL cannot be spoken to",
            why=" ".join(str(error).split()),
            hint="Install its extra: `pipx install --force '.[postgres]'` in msglog's sources.",
        ) from error
