"""What the user of a session under way may do, asked of the account as it is now."""

from msglog.account.access import Access
from msglog.account.account import Account
from msglog.account.role import Capability
from msglog.errors import NotAuthorisedError


class AccountPermissions:
    """The access that an account gave to a session, and whether it still gives it."""

    def __init__(self, account: Account, access: Access) -> None:
        self._account = account
        self._access = access

    @property
    def user(self) -> str:
        """The user's name."""
        return self._access.user

    @property
    def role(self) -> str:
        """The name of the user's role in the account."""
        return self._access.role.value

    def may(self, capability: Capability, log: str) -> bool:
        """Tell whether the user has a capability for a log."""
        return self._access.may(capability, log)

    def check(self) -> None:
        """Raise NotAuthorisedError if the access was taken away or changed meanwhile."""
        if not self._account.still_valid(self._access):
            raise NotAuthorisedError(
                "not authorised",
                why="the access of this user or key was changed during the session",
                hint="Try again.",
            )
