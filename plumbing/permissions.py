"""Who a client is and what they may do: the seam between a service and whoever decides that."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING, Protocol
from msglog.errors import NotAuthorisedError

if TYPE_CHECKING:
    from msglog.account.role import Capability


class Permissions(Protocol):
    """Who the client is and what they may do; asked anew at each request and each batch."""

    @property
    def user(self) -> str:
        """The user's name."""

    @property
    def role(self) -> str:
        """The name of the user's role, for the greeting."""

    def may(self, capability: Capability, log: str) -> bool:
        """Tell whether the user has a capability for a log."""

    def check(self) -> None:
        """Raise NotAuthorisedError if the user or the key was revoked meanwhile."""


def demand(permissions: Permissions, capability: Capability, log: str) -> None:
    """Raise NotAuthorisedError unless a client has a capability for a log."""
    if not permissions.may(capability, log):
        raise NotAuthorisedError(f"not authorised to {capability.value} {log}")
