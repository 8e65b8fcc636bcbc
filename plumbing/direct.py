"""Access to a repository of one's own: the file system decides, and nothing else."""

from dataclasses import dataclass

from msglog.account.role import CAPABILITIES, Capability, Role


@dataclass(frozen=True, slots=True)
class DirectPermissions:
    """Everything that there is to do in a repository, for whoever may open its files."""

    user: str
    role: str = Role.ADMIN.value

    def may(self, capability: Capability, log: str) -> bool:  # noqa: ARG002 - the same for all
        """Tell whether the capability is one of an administrator: all are."""
        return capability in CAPABILITIES[Role.ADMIN]

    def check(self) -> None:
        """Raise nothing: there is nobody who could revoke this."""
