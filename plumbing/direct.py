"""Access to a repository of one's own: the file system decides, and nothing else."""

from __future__ import annotations

from msglog.account.role import CAPABILITIES, Role
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from msglog.account.role import Capability

_NAME_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class DirectPermissions:
    """Everything that there is to do in a repository, for whoever may open its files.

    login: the name of the UNIX account.
    """

    login: str
    role: str = Role.ADMIN.value

    @property
    def user(self) -> str:
        """The account's name as a greeting can carry it: printable ASCII without blanks."""
        fit = [letter if "!" <= letter <= "~" else "_" for letter in self.login]
        return "".join(fit[:_NAME_CHARACTERS]) or "unknown"

    def may(self, capability: Capability, log: str) -> bool:  # noqa: ARG002 - the same for all
        """Tell whether the capability is one of an administrator: all are."""
        return capability in CAPABILITIES[Role.ADMIN]

    def check(self) -> None:
        """Raise nothing: there is nobody who could revoke this."""
