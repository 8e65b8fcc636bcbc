"""Where the server accounts of these tests are: in files of SQLite, or each in a database of its own."""

from collections.abc import Callable
from dataclasses import dataclass

STORES = ("sqlite", "postgres")


@dataclass(frozen=True, slots=True)
class AccountStore:
    """A place for accounts. fresh: makes an empty database and returns its address; "" for files."""

    fresh: Callable[[], str]

    def init(self) -> list[str]:
        """Return the words of `admin` that make an account of which nothing is there yet."""
        address = self.fresh()
        return ["init", "--store", address] if address else ["init"]

    def variables(self) -> dict[str, str]:
        """Return the environment in which `admin init`, as people type it, makes such an account."""
        address = self.fresh()
        return {"MSGLOG_STORE": address} if address else {}
