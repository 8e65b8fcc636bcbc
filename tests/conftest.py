"""What all tests share: options, how Hypothesis runs, Ctrl-C, and one PostgreSQL."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres.databases import Databases
from tests.postgres.server import running_postgres

# Who runs the tests in the background may have them ignore Ctrl-C, and so would all they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Who has a PostgreSQL of their own may say so in their shell, and libpq would listen to that.
for name in [name for name in os.environ if name.startswith("PG")]:
    del os.environ[name]

# A machine that is busy is no failure: no test may depend on how long an example takes.
settings.register_profile(
    "msglog", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("msglog")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--account-store",
        choices=["sqlite", "postgres"],
        help="run what makes a server account over a real sshd, and nothing else, in this store",
    )


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Stores and schemas in a private PostgreSQL, which starts when a test first asks for it."""
    with running_postgres() as server:
        yield Databases(server)
