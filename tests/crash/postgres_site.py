"""A site whose server account is in PostgreSQL: in a database that is made anew for each case."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from msglog.account.account import Account
from msglog.account.database import AccountFormatError
from porcelain.admin.soundness import account_faults
from porcelain.cli import main
from tests.crash.judging import Lost
from tests.crash.site import Site, View
from tests.postgres.server import Postgres

SECONDS = 30.0
"""How long the server may take to be there again, and its processes to end."""

_SITE, _TEMPLATE, _EMPTY = "site", "site_template", "empty"

_Result = TypeVar("_Result")
_Connection = psycopg.Connection[Any]


class PostgresSite(Site):
    """A site with a server of its own, whose processes may be killed.

    It has an account in files as well, for `admin migrate`, and room for another one in the database.
    """

    def __init__(self, folder: Path, server: Postgres) -> None:
        super().__init__(folder)
        self._server = server

    @property
    def empty_store(self) -> str:
        return self._server.address(_EMPTY, dbname=_SITE)

    # Making

    def _make_account(self) -> None:
        self._on_server(lambda server: server.execute(f"CREATE DATABASE {_SITE}"))
        address = self._server.address(dbname=_SITE)
        with psycopg.connect(address, autocommit=True) as database:
            database.execute(f"CREATE SCHEMA {_EMPTY}")
        self._do(self.folder, "admin", "init", "server/account", "--store", address)

    def _keep(self) -> None:
        # Something for gc.
        self._do(self.mine, "logs", "new", "old")
        self._add("of an old log", 12, log="old")
        self._do(self.mine, "push", "near", "old")
        self._do(self.mine, "logs", "delete", "old", "--force")
        served = {**self.environment, "MSGLOG_DIR": str(self._served)}
        words = ["logs", "delete", "old", "--force"]
        assert main(words, served, BytesIO(), BytesIO(), BytesIO()) == 0
        self._do(self.folder, "admin", "restore", f"{self.base}/account.backup", "server/files")
        super()._keep()
        self.settle()
        rename = f"ALTER DATABASE {_SITE} RENAME TO {_TEMPLATE}"
        self._on_server(lambda server: server.execute(rename))

    def restore(self) -> None:
        super().restore()
        self._on_server(_copy)

    # The server

    def _on_server(self, work: Callable[[_Connection], _Result]) -> _Result:
        """Do what may be done twice; again where the server is just being started anew."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                address = self._server.address(dbname="postgres")
                with psycopg.connect(address, autocommit=True) as connection:
                    return work(connection)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise

    def settle(self) -> None:
        """Wait until nobody is at the database: whose client was killed may be at work still."""
        deadline = time.monotonic() + SECONDS
        while self._on_server(_backends):
            if time.monotonic() > deadline:
                raise Lost("a process of the database's does not end")

    def end_backends(self, *, kill: bool) -> None:
        """End the processes that serve the database; kill: which ends all of the server's."""
        pids = self._on_server(_backends)
        if not kill:
            milliseconds = int(SECONDS * 1000)
            for pid in pids:
                self._on_server(
                    lambda server, pid=pid: server.execute(  # type: ignore[misc]
                        "SELECT pg_terminate_backend(%s, %s)", (pid, milliseconds)
                    )
                )
            return
        for pid in pids:
            _kill(pid)

    # Looking

    def _accounts(self) -> Iterator[Account]:
        """Yield the accounts in the database that anybody can use."""
        for file in self._found("account.address"):
            try:
                account = Account.open(file.parent)
            except AccountFormatError:
                continue
            with closing(account):
                yield account

    def stores(self) -> list[Path]:
        found = super().stores()
        for account in self._accounts():
            names = account.repository_names()
            found += [Path(account.repository_place(name)) for name in names]
        return found

    def verify(self) -> Iterator[str]:
        yield from super().verify()
        for account in self._accounts():
            for fault in account_faults(account):
                yield f"the account {self._short(account.path)}: {fault}"

    def look(self) -> View:
        view = super().look()
        for account in self._accounts():
            users = [(user.name, user.role.value) for user in account.users()]
            keys = [(key.key.fingerprint, key.user) for key in account.keys_of()]
            name = self._short(account.path)
            view[f"account {name}"] = frozenset([*users, *keys])
            view[f"repositories of {name}"] = frozenset(account.repository_names())
        return view


def _copy(server: _Connection) -> None:
    server.execute(f"DROP DATABASE IF EXISTS {_SITE} WITH (FORCE)")
    server.execute(f"CREATE DATABASE {_SITE} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")


def _backends(server: _Connection) -> list[int]:
    sql = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
    return [pid for (pid,) in server.execute(sql, (_SITE,))]


def _kill(pid: int) -> None:
    """Kill a process that is not ours, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            os.kill(pid, 0)
