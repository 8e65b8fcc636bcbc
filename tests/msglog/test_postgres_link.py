"""The connection to PostgreSQL: what fails for a moment is tried again, and is never done twice."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from msglog import postgres_connection, postgres_link
from msglog.index.node import EMPTY_ROOT
from msglog.key import make_key
from msglog.objectid import object_id
from msglog.postgres_address import ConnectionStringError, parameters_of, with_defaults
from msglog.postgres_failure import hint_of, is_lost
from msglog.postgres_link import Blobs, Link, Session
from msglog.repository import Repository, first_commit
from msglog.store.postgres import ERRORS, PostgresStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import (
    Commit,
    Committed,
    Lost,
    Receipt,
    Ref,
    RefUpdate,
    StoreBusyError,
    StoreError,
    Usage,
)
from tests.msglog.test_lean_psycopg import SHORT, run
from tests.postgres.certificates import SERVER_NAME
from tests.postgres.databases import Databases, again
from tests.postgres.server import DATABASE, LOGIN, TLS_LOGIN, Postgres
from tests.postgres.standby import absent_standby

MAIN = "refs/logs/main"
IDENTITY = bytes(range(16))


@pytest.fixture
def store(databases: Databases) -> Iterator[PostgresStore]:
    with closing(databases.make_store(IDENTITY)) as made:
        yield made


def root(number: int) -> Any:
    return object_id(b"root %d" % number)


def move(old: int | None, new: int, **more: Any) -> Commit:
    update = RefUpdate(MAIN, None if old is None else root(old), Ref(root(new), new))
    return Commit(new, f"to {new}", refs=[update], **more)


def backend(store: PostgresStore) -> int:
    """Return the number of the server's process behind a store."""
    ((pid,),) = store._link.select("SELECT pg_backend_pid()")
    return int(pid)


def end(databases: Databases, pid: int) -> None:
    """End a session as a server does that is shut down."""
    with psycopg.connect(databases.server.address(), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_a_connection_that_is_cut_is_made_again(databases: Databases, store: PostgresStore) -> None:
    store.commit(move(None, 1))
    end(databases, backend(store))
    assert store.ref(MAIN) == Ref(root(1), 1)
    end(databases, backend(store))
    assert store.commit(move(1, 2)) == Committed()
    end(databases, backend(store))
    assert store.commit(move(1, 3)) == Lost(MAIN, Ref(root(2), 2))


class Cut:
    """A commit whose answer does not arrive: it is sent, the server does it, and the line is cut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, done: bool) -> None:
        self.times = 0
        genuine = Link.commit

        def commit(link: Link, **how: bool) -> None:
            if self.times:
                genuine(link, **how)
                return
            self.times += 1
            if done:
                genuine(link, **how)
            link.session.close()
            raise postgres_link._Doubt

        monkeypatch.setattr(Link, "commit", commit)


KEY = make_key(5, object_id(b"five"))


@pytest.mark.parametrize("done", [True, False])
def test_a_commit_whose_answer_is_lost_is_done_once(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    store.commit(move(None, 1))
    Cut(monkeypatch, done=done)
    change = move(1, 2, messages={KEY: b"five"}, receipt=Receipt("ann", 1, "main"))
    assert store.commit(change) == Committed()
    assert store.ref(MAIN) == Ref(root(2), 2)
    assert [entry.count for entry in store.reflog(MAIN, 9)] == [2, 1]
    assert store.usage("ann") == Usage(1, 4)
    assert store.receipts([KEY]) == {KEY: Receipt("ann", 1, "main")}
    assert list(store.faults()) == []


@pytest.mark.parametrize("done", [True, False])
def test_what_has_no_ref_is_done_once_too(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    Cut(monkeypatch, done=done)
    change = Commit(1, "", messages={KEY: b"five"}, receipt=Receipt("ann", 1, "main"))
    assert store.commit(change) == Committed()
    assert store.usage("ann") == Usage(1, 4)
    assert list(store.faults()) == []


@pytest.mark.parametrize("done", [True, False])
def test_a_log_that_is_made_deleted_or_renamed_is_so(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    repository = Repository(store, "/")
    with monkeypatch.context() as patch:
        Cut(patch, done=done)
        repository.create_log("lab", time=1)
    with monkeypatch.context() as patch:
        Cut(patch, done=done)
        repository.rename_log("lab", "ops", time=2)
    assert [log.name for log in repository.logs()] == ["ops"]
    with monkeypatch.context() as patch:
        Cut(patch, done=done)
        repository.delete_log("ops", time=3)
    assert repository.logs() == []


@pytest.mark.parametrize("done", [True, False])
def test_a_store_is_made_although_the_answer_is_lost(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    databases.stores()
    Cut(monkeypatch, done=done)
    with closing(databases.make_store(IDENTITY, move(None, 1))) as store:
        assert store.ref(MAIN) == Ref(root(1), 1)
        assert list(store.faults()) == []


def test_a_snapshot_is_made_although_the_last_answer_is_lost(
    store: PostgresStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commit(move(None, 1))
    Cut(monkeypatch, done=True)
    store.snapshot(str(tmp_path / "store.db"))
    with closing(SqliteStore.open(tmp_path / "store.db")) as copy:
        assert copy.refs() == {MAIN: Ref(root(1), 1)}


def test_nothing_is_said_beside_our_own_errors() -> None:
    """What psycopg warns of went to standard error, and so to the user of a server."""
    program = "import msglog.postgres_link, logging; logging.getLogger('psycopg.x').warning('x')"
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, check=True, capture_output=True)
    assert done.stderr == b""


def test_whoever_lost_is_told_so_even_where_an_answer_was_lost(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commit(move(None, 1))
    genuine = Link.commit

    def commit(link: Link, **_: bool) -> None:
        monkeypatch.setattr(Link, "commit", genuine)
        link.session.close()
        with closing(again(store)) as other:
            assert other.commit(move(1, 7)) == Committed()
        raise postgres_link._Doubt

    monkeypatch.setattr(Link, "commit", commit)
    assert store.commit(move(1, 2)) == Lost(MAIN, Ref(root(7), 7))


def test_a_commit_that_a_standby_did_not_confirm_is_not_believed(
    databases: Databases, store: PostgresStore
) -> None:
    """A COMMIT that is cancelled while it waits for a standby is done here, and says so."""
    store.commit(move(None, 1))
    result: list[object] = []
    writer = threading.Thread(target=lambda: result.append(store.commit(move(1, 2))))
    with absent_standby(databases.server) as standby:
        writer.start()
        first = standby.await_waiting(writer)
        standby.cancel(first)
        # It asks again on another connection, and waits for the standby once more.
        assert standby.await_waiting(writer, but=first)
        assert result == []
    writer.join()
    assert result == [Committed()]
    assert [entry.count for entry in store.reflog(MAIN, 2)] == [2, 1]


def test_who_gives_up_waiting_for_a_standby_leaves_no_process_waiting(
    databases: Databases, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_link, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(postgres_link, "PATIENCE_SECONDS", 0.8)
    store.commit(move(None, 1))
    with absent_standby(databases.server) as standby:
        with pytest.raises(StoreBusyError, match="not known: COMMIT was not answered"):
            store.commit(move(1, 2))
        standby.await_nobody()
    assert store.commit(move(1, 2)) == Lost(MAIN, Ref(root(2), 2))  # it was done, and stays so


def test_what_is_read_waits_for_a_standby_once(
    databases: Databases, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_link, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(postgres_link, "PATIENCE_SECONDS", 2.0)
    reads: list[Ref | None] = []
    with absent_standby(databases.server) as standby:
        with pytest.raises(StoreBusyError, match=r"just now \(COMMIT was not answered"):
            store.settled(lambda: reads.append(store.ref(MAIN)))
        standby.await_nobody()
    assert len(reads) == 1


def test_what_is_read_is_read_again_where_the_connection_is_lost(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = Cut(monkeypatch, done=False)
    assert store.settled(lambda: store.ref(MAIN)) is None
    assert cut.times == 1


@pytest.mark.parametrize("lowered", ["off", "local", "remote_write"])
def test_a_commit_waits_whatever_a_role_or_an_address_has_set(
    databases: Databases, lowered: str
) -> None:
    address = f"{databases.stores()}%20-csynchronous_commit%3D{lowered}"
    link = Link(Session(address), ERRORS)
    assert link.select("SHOW synchronous_commit") == [(lowered,)]
    result: list[PostgresStore] = []

    def make() -> None:
        result.append(PostgresStore.create(link, lowered, identity=IDENTITY, first=move(None, 1)))

    writer = threading.Thread(target=make)
    with absent_standby(databases.server) as standby:
        writer.start()
        was_waiting = standby.await_waiting(writer)
    writer.join()
    result[0].close()
    assert was_waiting


@pytest.mark.parametrize(
    ("said", "then"),
    [
        *(("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on")),
        ("remote_apply", "remote_apply"),
    ],
)
def test_what_a_durable_commit_waits_for(databases: Databases, said: str, then: str) -> None:
    link = Link(Session(f"{databases.stores()}%20-csynchronous_commit%3D{said}"), ERRORS)
    link.begin()
    link.select(postgres_link.DURABLE)
    assert link.select("SHOW synchronous_commit") == [(then,)]
    link.close()


def test_two_that_wait_for_each_other_both_get_through(store: PostgresStore) -> None:
    """In opposite orders, behind the store's back: PostgreSQL ends one of the two."""
    with closing(again(store)) as other:
        links = (store._link, other._link)
        store._link.run(
            lambda _: store._link.execute(
                "INSERT INTO looked_up SELECT $1::integer, name, ''::bytea"
                " FROM unnest(ARRAY['a', 'b']) AS name",
                store._number,
            )
        )
        both = threading.Barrier(2, timeout=20)
        attempts: list[int] = []

        def write(link: Link, order: str) -> None:
            def work(attempt: Any) -> None:
                attempts.append(attempt.number)
                for at, name in enumerate(order):
                    link.execute(
                        "UPDATE looked_up SET root = root || '\\x01' WHERE repository = $1 AND log = $2",
                        store._number,
                        name,
                    )
                    if attempt.number == 1 and at == 0:
                        both.wait()

            link.run(work)

        threads = [
            threading.Thread(target=write, args=(link, order))
            for link, order in zip(links, ("ab", "ba"), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # The one that was ended may come to it again before the other one goes on.
        assert sorted(attempts)[:3] == [1, 1, 2]
        assert len(store.indexed("a")) == len(store.indexed("b")) == 2


def test_a_server_that_is_frozen_is_given_up(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_link, "ANSWER_SECONDS", 0.5)
    store._link.close()
    pid = backend(store)
    os.kill(pid, signal.SIGSTOP)
    try:
        # The one process is frozen, not the server: another connection serves.
        assert store.ref(MAIN) is None
        assert backend(store) != pid
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_is_frozen_while_something_takes_long_is_given_up(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_link, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(postgres_link, "PATIENCE_SECONDS", 0.1)
    frozen: list[int] = []

    def work(_: Any) -> None:
        store._link.take_time()
        frozen.append(backend(store))
        os.kill(frozen[0], signal.SIGSTOP)
        backend(store)

    try:
        with pytest.raises(StoreBusyError, match=r"no answer in 0\.5 s"):
            store._link.run(work)
    finally:
        os.kill(frozen[0], signal.SIGCONT)


def test_a_connection_that_is_made_within_an_attempt_has_what_patience_is_left(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def connected(parameters: Any, seconds: float) -> Any:
        given.append(seconds)
        if len(given) == 1:
            raise psycopg.OperationalError("connection refused")
        return postgres_connection.connected(parameters, seconds)

    monkeypatch.setattr("msglog.postgres_link.connected", connected)
    link = Link(Session(databases.stores()), ERRORS)
    assert link.select("SELECT 1") == [(1,)]
    link.close()
    assert link.select("SELECT 1") == [(1,)]
    link.close()
    first, second, third = given
    assert postgres_link.OPENING_SECONDS >= first > second
    assert third > postgres_link.OPENING_SECONDS


def test_who_cannot_be_reached_is_named_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_link, "OPENING_SECONDS", 0.01)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        link = Link(Session(f"postgresql://fred@127.0.0.1:{port}/lab"), ERRORS)
        with pytest.raises(StoreBusyError) as raised:
            link.select("SELECT 1")
    text = str(raised.value)
    assert f"PostgreSQL database lab at 127.0.0.1 port {port}" in text
    assert "\n" not in text
    assert "fred" not in text
    assert raised.value.temporary


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"dbname": "absent"}, "does not exist"),
        ({"user": "stranger"}, "does not exist"),
        ({"user": "guest", "dbname": "shut"}, "permission denied for database"),
        ({"options": "'-c nonsense=1'"}, "unrecognized configuration parameter"),
        ({"options": "-cnonsense"}, "requires a value"),
    ],
)
def test_what_waiting_does_not_cure_is_said_at_once(
    databases: Databases, more: dict[str, str], says: str
) -> None:
    if more.get("dbname") == "shut":
        with psycopg.connect(databases.server.address(), autocommit=True) as connection:
            connection.execute("CREATE ROLE guest LOGIN")
            connection.execute("CREATE DATABASE shut")
            connection.execute("REVOKE CONNECT ON DATABASE shut FROM PUBLIC")
    words = {"host": "127.0.0.1", "port": databases.server.port, "dbname": DATABASE, "user": LOGIN}
    address = " ".join(f"{name}={value}" for name, value in {**words, **more}.items())
    with pytest.raises(StoreError, match=says) as raised:
        Link(Session(address), ERRORS).select("SELECT 1")
    assert not raised.value.temporary


def over_tls(server: Postgres, **more: str) -> str:
    tls = server.folder / "tls"
    words = {
        "host": SERVER_NAME,
        "hostaddr": "127.0.0.1",
        "port": str(server.port),
        "dbname": DATABASE,
        "user": TLS_LOGIN,
        "sslmode": "verify-full",
        "sslrootcert": str(tls / "authority.crt"),
        "sslcert": str(tls / "client.crt"),
        "sslkey": str(tls / "client.key"),
        **more,
    }
    return " ".join(f"{name}={value}" for name, value in words.items())


@pytest.fixture
def tls_server(databases: Databases) -> Postgres:
    with psycopg.connect(databases.server.address(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'tls_user'").fetchall():
            connection.execute("CREATE ROLE tls_user LOGIN")
    return databases.server


def test_a_server_whose_name_and_authority_are_checked(tls_server: Postgres) -> None:
    link = Link(Session(over_tls(tls_server)), ERRORS)
    rows = link.select("SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert rows == [(True, f"/CN={TLS_LOGIN}")]
    link.close()


def test_the_server_finds_out_that_a_host_is_gone(tls_server: Postgres) -> None:
    """One that lost its power says nothing, and its connections were kept for two hours."""
    link = Link(Session(over_tls(tls_server)), ERRORS)
    rows = link.select("SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_keep%'")
    link.close()
    assert {name: int(setting) for name, setting in rows} == {
        "tcp_keepalives_idle": 60,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 6,
    }


OVER_TLS = """
from msglog.store.postgres import ERRORS
link = Link(Session(sys.argv[1]), ERRORS)
assert link.select("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(True,)]
link.close()
"""


def test_tls_without_pythons_own(tls_server: Postgres) -> None:
    run(SHORT + OVER_TLS, over_tls(tls_server))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"sslrootcert": "{tls}/stranger.crt"}, "certificate verify failed"),
        ({"host": "elsewhere.example"}, "does not match host name"),
        ({"sslcert": "{tls}/absent.crt", "sslkey": "{tls}/absent.key"}, "valid client certificate"),
        ({"sslmode": "disable"}, "pg_hba.conf rejects"),
        ({"sslkey": "{tls}/junk.key"}, "could not load private key file"),
        ({"sslkey": "{tls}/shown.key"}, "private key file .* has group or world access"),
    ],
)
def test_a_server_or_a_client_that_is_not_who_it_says(
    tls_server: Postgres, more: dict[str, str], says: str
) -> None:
    tls = tls_server.folder / "tls"
    (tls / "shown.key").write_bytes((tls / "client.key").read_bytes())
    (tls / "shown.key").chmod(0o644)
    (tls / "junk.key").touch(mode=0o600)
    more = {name: value.replace("{tls}", str(tls)) for name, value in more.items()}
    with pytest.raises(StoreError, match=says) as raised:
        Link(Session(over_tls(tls_server, **more)), ERRORS).select("SELECT 1")
    assert not raised.value.temporary


ASKED = """
from msglog.store.postgres import ERRORS
try:
    Link(Session(sys.argv[1]), ERRORS).select("SELECT 1")
except Exception as error:
    print(error.temporary, error, sys.stdin.read())
"""


def test_nobody_is_asked_for_the_passphrase_of_a_key(tls_server: Postgres) -> None:
    """A session has no terminal, and its standard input is what a client says."""
    tls = tls_server.folder / "tls"
    key = load_pem_private_key((tls / "client.key").read_bytes(), None)
    (tls / "locked.key").touch(mode=0o600)
    (tls / "locked.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush"))
    )
    address = over_tls(tls_server, sslkey=str(tls / "locked.key"))
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nfrom msglog.postgres_link import *\n{ASKED}", address],
        input="hush\nwhat a client says",
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    assert done.stdout.startswith("False cannot use PostgreSQL")
    assert "private key file" in done.stdout
    assert done.stdout.endswith("hush\nwhat a client says\n")
    assert done.stderr == ""


def test_what_takes_too_long_is_a_matter_of_being_busy(store: PostgresStore) -> None:
    store._link.say("SET statement_timeout = 1")
    with pytest.raises(StoreBusyError, match="statement timeout"):
        store._link.select("SELECT count(*) FROM generate_series(1, 1000000000)")


def test_a_wrong_statement_is_said_at_once(store: PostgresStore) -> None:
    with pytest.raises(StoreError, match="syntax error"):
        store._link.select("SELEKT")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://a:b@h/d",
        "host=h password=b",
        "host=h sslpassword=b",
        "host=h scram_client_key=b",
        "postgresql://a@h/d?oauth_client_secret=b",
        "postgresql://a:b@[h/d",
        "host",
        "x=y",
    ],
)
def test_connection_strings_that_are_refused(address: str) -> None:
    with pytest.raises(ConnectionStringError) as raised:
        parameters_of(address)
    assert address not in str(raised.value)


def test_every_secret_that_libpq_knows_is_refused() -> None:
    secrets = [one.keyword for one in psycopg.pq.Conninfo.get_defaults() if one.dispchar == b"*"]
    assert len(secrets) >= 2
    for name in map(bytes.decode, secrets):
        with pytest.raises(ConnectionStringError, match="there is a"):
            parameters_of(f"host=h {name}=b")


def test_what_is_said_comes_before_what_is_usual() -> None:
    said = with_defaults(parameters_of("host=h connect_timeout=9 options='-c search_path=x'"))
    assert (said["connect_timeout"], said["target_session_attrs"]) == ("9", "read-write")
    assert said["options"].startswith("-c statement_timeout=20s ")
    assert said["options"].endswith(" -c search_path=x")


SERVICE = """\
[lab]
host=one.example,two.example
user=fred
connect_timeout=7
options=-c search_path=x
"""


def test_what_a_service_does_not_say_is_as_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psycopg gives those who say nothing 130 seconds, and takes several hosts for one."""
    (tmp_path / "services").write_text(SERVICE)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    usual = with_defaults(parameters_of("host=h"))
    said = with_defaults(parameters_of("service=lab user=ann"))
    assert (said["host"], said["user"]) == ("one.example,two.example", "ann")
    assert (said["connect_timeout"], said["target_session_attrs"]) == ("7", "read-write")
    assert said["options"] == f"{usual['options']} -c search_path=x"
    assert said.keys() - {"dbname", "passfile", "user"} == usual.keys()


def test_a_service_that_there_is_not_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services").write_text(SERVICE)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with pytest.raises(StoreError, match='definition of service "ops" not found') as raised:
        Link(Session("service=ops"), ERRORS).select("SELECT 1")
    assert not raised.value.temporary


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("consuming input failed: SSL connection has been closed unexpectedly", True),
        ("sending query failed: SSL SYSCALL error: EOF detected", True),
        ("consuming input failed: server closed the connection unexpectedly", True),
        ('connection failed: connection to server at "::1" failed: Connection refused', True),
        ("connection failed: SSL SYSCALL error: Connection reset by peer", True),
        ("connection failed: FATAL:  the database system is starting up", True),
        ('connection to server at "alert.example", port 5432 failed: Connection refused', True),
        ("connection failed: session is read-only", True),
        ("connection timeout expired", True),
        ("connection failed: server does not support SSL, but SSL was required", False),
        ("connection failed: SSL error: certificate verify failed", False),
        ("connection failed: SSL error: tlsv1 alert unknown ca", False),
        ('connection failed: FATAL:  role "x" is not permitted to log in', False),
        ("connection failed: fe_sendauth: no password supplied", False),
        ("connection failed: FATAL:  unsupported startup parameter: options", False),
        ('connection failed: FATAL:  password authentication failed for user "x"', False),
    ],
)
def test_what_waiting_may_cure(text: str, *, lost: bool) -> None:
    assert is_lost(psycopg.OperationalError(text)) == lost


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("connection failed: fe_sendauth: no password supplied", "~/.pgpass"),
        ('connection failed: FATAL:  password authentication failed for user "x"', "~/.pgpass"),
        ("connection failed: FATAL:  no pg_hba.conf entry for host", "pg_hba.conf"),
        ("connection failed: SSL error: certificate verify failed", "sslrootcert"),
        ('connection failed: server certificate for "a" does not match host name "b"', "host"),
        ('private key file "x" has group or world access', "chmod"),
        ('connection failed: FATAL:  database "x" does not exist', "createdb"),
        ("connection failed: FATAL:  unsupported startup parameter: options", "PgBouncer"),
    ],
)
def test_what_a_person_has_to_do_is_said(text: str, hint: str) -> None:
    assert hint in hint_of(psycopg.OperationalError(text))


def test_a_login_that_may_not_is_told_what_it_has_to_be(databases: Databases) -> None:
    address = databases.stores()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE ROLE visitor LOGIN")
        (schema,) = connection.execute("SELECT current_schema()").fetchone() or ("",)
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO visitor".encode())
    link = Link(Session(address.replace(f"user={LOGIN}", "user=visitor")), ERRORS)
    with pytest.raises(StoreError, match="must own the tables"):
        link.select("SELECT 1 FROM messages")


def test_a_service_is_a_place_too() -> None:
    assert Session("service=lab").place == "PostgreSQL by the service lab"


@pytest.mark.parametrize("values", [(), (b"",), (b"a", b"\0\xff", b""), (b"x" * 70_000,)])
def test_many_values_in_one(store: PostgresStore, values: tuple[bytes, ...]) -> None:
    rows = store._link.select("SELECT unnest($1::bytea[])", Blobs(values))
    assert [value for (value,) in rows] == list(values)


def test_two_makers_of_one_store(databases: Databases) -> None:
    link = Link(Session(databases.stores()), ERRORS)
    made = PostgresStore.create(link, "once", identity=IDENTITY, first=first_commit(1))
    with pytest.raises(StoreError, match="there already"):
        PostgresStore.create(link, "once", identity=IDENTITY, first=first_commit(1))
    assert made.refs() == {MAIN: Ref(EMPTY_ROOT, 0)}
    made.close()


def test_stores_made_at_once_have_numbers_of_their_own(databases: Databases) -> None:
    made: list[PostgresStore] = []
    together = threading.Barrier(4)

    def make(name: str) -> None:
        link = Link(Session(databases.stores()), ERRORS)
        together.wait()
        made.append(PostgresStore.create(link, name, identity=IDENTITY, first=first_commit(1)))

    threads = [threading.Thread(target=make, args=(f"at once {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({store._number for store in made}) == 4
    for store in made:
        store.close()
