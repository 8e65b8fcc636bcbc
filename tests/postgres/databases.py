"""Stores and schemas in the one PostgreSQL server that all tests of a session share."""

import itertools

from msglog.account.postgres_tables import ERRORS as ACCOUNT_ERRORS
from msglog.account.postgres_tables import PostgresTables, make_tables
from msglog.postgres_link import Link, Session
from msglog.store import postgres_schema
from msglog.store.postgres import ERRORS, PostgresStore
from msglog.store.store import Commit
from tests.postgres.server import Postgres

_NUMBERS = itertools.count(1)


class Databases:
    """A server, and what tests make in it: a store takes a row, a schema takes a moment."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self._stores = ""

    def fresh(self) -> str:
        """Return the connection string of a schema without tables."""
        return self.server.make_schema(f"schema{next(_NUMBERS)}")

    def stores(self) -> str:
        """Return the connection string of the schema whose tables all stores of tests share."""
        if not self._stores:
            self._stores = self.fresh()
            link = Link(Session(self._stores), ERRORS)
            link.run(lambda _: postgres_schema.make_tables(link))
            link.close()
        return self._stores

    def make_tables(self) -> PostgresTables:
        """Return the tables of a new account."""
        session = Session(self.fresh())
        link = Link(session, ACCOUNT_ERRORS)
        link.run(lambda _: make_tables(link))
        return PostgresTables(session)

    def make_store(self, identity: bytes, first: Commit | None = None) -> PostgresStore:
        """Return a new store, among those of other tests."""
        name = f"store{next(_NUMBERS)}"
        link = Link(Session(self.stores()), ERRORS)
        return PostgresStore.create(link, name, identity=identity, first=first or Commit(0, "made"))


def again(store: PostgresStore) -> PostgresStore:
    """Return another connection to a store."""
    return PostgresStore(
        Link(Session(store._link.session.address), ERRORS), store._number, store.identity
    )
