"""Two containers over one PostgreSQL are one server; what is in files is not hidden by an address."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.container.client import Client
from tests.container.engine import Container, Engine, running, volumes
from tests.postgres.databases import Databases


def address_of(databases: Databases) -> str:
    """Return an address over TCP: containers have no part in the host's files."""
    schema = databases.fresh().rpartition("%3D")[2]
    port = databases.server.port
    return f"postgresql://msglog@127.0.0.1:{port}/msglog?options=-csearch_path%3D{schema}"


@contextmanager
def front(engine: Engine, keys: str, store: str, **more: str) -> Iterator[Container]:
    with running(
        engine, "--volume", f"{keys}:/keys", environment={"MSGLOG_STORE": store, **more}
    ) as container:
        container.wait_until_it_listens()
        yield container


def test_two_containers_are_one_server(
    engine: Engine, admin: Client, tmp_path: Path, databases: Databases
) -> None:
    store = address_of(databases)
    ann = Client.make(tmp_path / "ann")
    with (
        volumes(engine, "keys") as (keys,),
        front(engine, keys, store, MSGLOG_ADMIN_KEY=admin.public_key) as one,
        front(engine, keys, store) as two,
    ):
        admin.meet(one)
        remote = ("--remote", "origin")
        admin.msglog("admin", "user", "add", "ann", "--role", "write", *remote)
        admin.msglog("admin", "key", "add", "ann", "-", *remote, given=f"{ann.public_key}\n")
        # Nothing was said to the second one, where she comes in.
        ann.meet(two)
        ann.msglog("add", "-q", "hello")
        assert "1 pushed" in ann.msglog("push", "origin")
        assert "1 pulled" in admin.msglog("pull", "origin")
        assert two.health().status == one.health().status == 0
        admin.msglog("admin", "user", "remove", "ann", *remote)
        ann.msglog("pull", status=4)
        two.stop()
        two.start()
        two.wait_until_it_listens()
        assert "already" in two.logs()


def test_an_account_in_files_is_not_hidden(engine: Engine, databases: Databases) -> None:
    with volumes(engine, "data", "keys") as (data, keys):
        places = ("--volume", f"{data}:/data", "--volume", f"{keys}:/keys")
        with running(engine, *places) as container:
            container.wait_until_it_listens()
        environment = {"MSGLOG_STORE": address_of(databases)}
        with running(engine, *places, environment=environment) as container:
            assert container.wait_until_it_ends() == 1
            assert "admin migrate" in container.logs()


def test_a_password_in_the_address_is_refused_and_not_shown(engine: Engine) -> None:
    environment = {"MSGLOG_STORE": "postgresql://msglog:hush@127.0.0.1:1/msglog"}
    with running(engine, environment=environment) as container:
        assert container.wait_until_it_ends() == 1
        assert "password" in container.logs()
        assert "hush" not in container.logs()
