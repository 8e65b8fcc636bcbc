"""The short import of psycopg: that it is taken, that what we use works, and the long one."""

import subprocess
import sys

import pytest

from tests.postgres.databases import Databases

ABSENT = (
    *("asyncio", "ctypes", "email", "importlib.metadata", "logging", "ssl", "subprocess"),
    "typing_extensions",
)

SHORT = f"""
import gc, sys
assert gc.isenabled()
from msglog.lean_psycopg import import_psycopg
import_psycopg()
import psycopg
assert gc.isenabled()
from msglog.postgres_link import Link, Session
assert not (found := [name for name in {ABSENT!r} if name in sys.modules]), found
"""

USE = """
from msglog.account.postgres_tables import ERRORS
link = Link(Session(sys.argv[1]), ERRORS)
link.run(lambda _: link.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, data BYTEA)"))
link.run(lambda _: link.all([("INSERT INTO things VALUES ($1, $2)", (n, b"x")) for n in (1, 2)]))
assert link.select("SELECT number, data, now() > '2020-01-01', NULL FROM things") == [
    (1, b"x", True, None), (2, b"x", True, None)]
def copy(_):
    types = ["int4", "bytea"]
    link.copy_in("COPY things FROM STDIN (FORMAT BINARY)", [(3, b"y")], types)
    return list(link.copy_out("COPY things TO STDOUT (FORMAT BINARY)", types))
assert link.run(copy)[-1] == (3, b"y")
try:
    link.run(lambda _: link.execute("INSERT INTO things VALUES (1, '')"))
except ERRORS.failed as error:
    assert isinstance(error.__cause__, psycopg.errors.UniqueViolation)
link.run(lambda _: link.execute("DO $$ BEGIN RAISE WARNING 'about nothing'; END $$"))
link.session.connection.close()
assert link.select("SELECT count(*) FROM things") == [(3,)]
try:
    Link(Session("host=127.0.0.1 port=1 user=x connect_timeout=2"), ERRORS)._session.connect()
except psycopg.OperationalError as error:
    assert error.pgconn.status == 1
link.close()
"""

LATER = """
import asyncio, importlib.metadata, logging, ssl, ctypes.util, typing_extensions
assert asyncio.run(asyncio.sleep(0, "slept")) == "slept"
assert logging.getLogger("psycopg").getEffectiveLevel() and ssl.create_default_context()
assert importlib.metadata.version("psycopg").startswith("3.")
assert ctypes.util.find_library and typing_extensions.deprecated
"""

LONG = """
import asyncio, importlib.metadata, logging
assert psycopg.__version__ == importlib.metadata.version("psycopg")
assert psycopg.connection.logger is logging.getLogger("psycopg")
assert psycopg.waiting.sleep is asyncio.sleep
assert logging.getLogger("psycopg").handlers
"""

BROKEN = """
import sys
class Finder:
    broken = 0
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[2] and not self.broken:
            self.broken += 1
            raise ImportError(name)
finder = Finder()
sys.meta_path.insert(0, finder)
from msglog.lean_psycopg import import_psycopg
import_psycopg()
import psycopg
from msglog.postgres_link import Link, Session
assert finder.broken
assert psycopg.waiting and psycopg.types and psycopg.pq and psycopg.AsyncConnection
"""

BEFORE = f"""
import sys, psycopg
from msglog.lean_psycopg import import_psycopg
import_psycopg()
from msglog.postgres_link import Link, Session
{LONG}
"""

THERE = """
import asyncio, logging
from msglog.lean_psycopg import import_psycopg
import_psycopg()
import psycopg, msglog.postgres_link
assert psycopg.waiting.sleep is asyncio.sleep
assert psycopg.connection.logger is logging.getLogger("psycopg")
assert logging.getLogger("psycopg").handlers
"""


def run(program: str, *words: str) -> None:
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    assert not done.stderr


@pytest.mark.parametrize("rest", [USE, LATER, USE + LATER])
def test_the_short_way_is_taken_and_works(databases: Databases, rest: str) -> None:
    run(SHORT + rest, databases.fresh())


@pytest.mark.parametrize(
    "module", ["psycopg.errors", "psycopg.waiting", "psycopg_binary.pq", "psycopg.types.uuid"]
)
def test_where_the_short_way_fails_the_rest_is_imported_as_it_comes(
    databases: Databases, module: str
) -> None:
    run(BROKEN + USE, databases.fresh(), module)


def test_psycopg_that_is_there_already_is_left_alone(databases: Databases) -> None:
    run(BEFORE + USE, databases.fresh())


def test_what_is_there_already_is_not_stood_in_for() -> None:
    run(THERE)
