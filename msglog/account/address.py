"""Repositories of accounts that have no folders of their own, named by where those would be."""

from __future__ import annotations

import os

from msglog.account.account import ADDRESS_NAME, REPOSITORIES_NAME
from msglog.account.name import is_repository_name

_PARTS = 4


def account_above(folder: str) -> tuple[str, str] | None:
    """Return the account and the name of the repository that a folder would be, or None.

    It is `repositories/NAME` in a folder that has the address of an account.
    """
    above, name = os.path.split(os.path.abspath(folder))
    for _ in range(_PARTS):
        account, last = os.path.split(above)
        if last == REPOSITORIES_NAME and os.path.isfile(os.path.join(account, ADDRESS_NAME)):
            return (account, name) if is_repository_name(name) else None
        above, name = account, f"{last}/{name}"
    return None
