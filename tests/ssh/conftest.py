"""One private sshd for all tests of a session, and the places where they make their accounts."""

import contextlib
import shlex
from collections.abc import Iterator

import pytest

from plumbing.transport.settings import Settings
from tests.ssh.accounts import STORES, AccountStore
from tests.ssh.sshd import Sshd, running_sshd
from tests.ssh.transport_client import NOWHERE, Client, MakeClient, user_numbers

_FIXTURE = "account_store"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run with accounts in files, where a test makes any, and some over PostgreSQL as well."""
    if _FIXTURE in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("both_stores") is not None
        chosen = metafunc.config.getoption("--account-store")
        stores = [chosen] if chosen else STORES if both else STORES[:1]
        metafunc.parametrize(_FIXTURE, stores, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With a store chosen, leave out what makes no account."""
    if not config.getoption("--account-store"):
        return
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (kept if _FIXTURE in getattr(item, "fixturenames", ()) else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.fixture(scope="session")
def account_store(request: pytest.FixtureRequest) -> AccountStore:
    """Where accounts are made."""
    if request.param == "sqlite":
        return AccountStore(lambda: "")
    return AccountStore(request.getfixturevalue("databases").fresh)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(params=["paramiko", "openssh"])
def make_client(request: pytest.FixtureRequest, sshd: Sshd) -> Iterator[MakeClient]:
    """Makes users of the private sshd, by each transport."""

    def make(command: str | None = "cat", *, authorized: bool = True) -> Client:
        user = sshd.make_user(f"user{next(user_numbers)}")
        if authorized:
            sshd.authorize(user, command)
        ssh = f"ssh -F {shlex.quote(str(user.config))}" if request.param == "openssh" else ""
        settings = Settings(
            home=user.home,
            login=sshd.login,
            ssh_command=ssh,
            system_config=NOWHERE,
            idle_seconds=20.0,
        )
        return Client(sshd, user, request.param, settings, at_end)

    with contextlib.ExitStack() as at_end:
        yield make
