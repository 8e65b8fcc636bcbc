"""What the commands that must start quickly import: all of it, by name.

A module that is missing here is paid for by every push, or by every message that is added. Who adds
one on purpose adds its name, and looks at what it costs (`python -X importtime`).
"""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tests.msglog.test_lean_psycopg import ABSENT
from tests.postgres.databases import Databases

PROGRAM = """
import os, sys
before = set(sys.modules)
import porcelain.entry
from porcelain.cli import main
status = main(sys.argv[1:], os.environ, sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)
sys.stderr.write("\\n" + " ".join(sorted(set(sys.modules) - before)))
sys.exit(status)
"""


def names(text: str) -> set[str]:
    return set(text.split())


STANDARD = names(
    # What _sqlite3 imports by itself, and modules of C that cost nothing.
    "_bisect _collections _functools _operator _sha2 _sha256 _sqlite3 _struct bisect collections"
    " copyreg errno functools itertools keyword math operator reprlib struct types"
    # What is there before in some versions of the interpreter.
    " __future__ _contextvars _weakrefset collections.abc gc pwd weakref"
)
"""What every small command may import of the standard library."""

CLI = names(
    "msglog msglog.annotation msglog.dataclass msglog.digest msglog.errors msglog.key"
    " msglog.layout msglog.objectid plumbing plumbing.context porcelain porcelain.cli"
    " porcelain.commands porcelain.entry porcelain.places porcelain.words"
)
STORE = names(
    "msglog.encoding msglog.index msglog.index.change msglog.index.node msglog.index.reading"
    " msglog.index.walk msglog.message msglog.refname msglog.repository msglog.sqlite_file"
    " msglog.store msglog.store.checking msglog.store.sqlite msglog.store.sqlite_commit"
    " msglog.store.sqlite_dictionaries msglog.store.sqlite_link msglog.store.sqlite_schema"
    " msglog.store.store"
)
"""All that reads and writes a repository."""

ADD = names("porcelain.add porcelain.authorship porcelain.discovery")
SETTINGS = names("msglog.config msglog.duration msglog.plain_toml msglog.timestamp")
"""What reads the author from a configuration file."""

LIST = names(
    "msglog.choice msglog.message_scan msglog.revision msglog.timestamp msglog.unsafe_text porcelain.discovery"
    " porcelain.display porcelain.list_log porcelain.listing porcelain.printing"
    " porcelain.rendering"
)
SERVE = names(
    "msglog.account msglog.account.access msglog.account.account msglog.account.audit"
    " msglog.account.database msglog.account.name msglog.account.record"
    " msglog.account.role msglog.account.setting msglog.compression msglog.duration"
    " msglog.enumeration msglog.message_scan msglog.timestamp msglog.unsafe_text msglog.version"
    " msglog.wire msglog.wire.batch msglog.wire.connection msglog.wire.encoder"
    " msglog.wire.events msglog.wire.grammar msglog.wire.pktline msglog.wire.reader"
    " msglog.wire.request_line plumbing.complaint plumbing.conversation plumbing.direct"
    " plumbing.heartbeat plumbing.known_roots plumbing.permissions plumbing.receive_pack"
    " plumbing.recorder plumbing.service plumbing.transport plumbing.transport.channel"
    " plumbing.transport.patience plumbing.transport.pipe"
)
JUDGE = names("msglog.account.policy plumbing.policy plumbing.reception")
"""What the server needs besides, once something is pushed."""

EXCHANGE = SETTINGS | names(
    "msglog.wire msglog.wire.events plumbing.opening plumbing.session"
    " plumbing.tracking plumbing.transport plumbing.transport.channel plumbing.transport.local"
    " plumbing.transport.settings plumbing.transport.url porcelain.discovery porcelain.display"
    " porcelain.exchange porcelain.printing porcelain.progress porcelain.settings"
)
PUSH = JUDGE | names("plumbing.outgoing plumbing.pushing porcelain.giving porcelain.push")
PULL = names("plumbing.fetching porcelain.pull porcelain.taking")

HEAVY = names(
    "argparse asyncio cbor2 cryptography dataclasses email hypothesis inspect json logging"
    " paramiko platformdirs rich rich_argparse shtab subprocess tomlkit tomllib typing zstandard"
)
"""What none of them may import, nor anything that they call."""


def modules(folder: Path, *words: str) -> set[str]:
    """Run a command with nothing on its input, and return all modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return set(done.stderr.decode().rpartition("\n")[2].split())


def ours(loaded: set[str]) -> set[str]:
    return {one for one in loaded if one.partition(".")[0] in ("msglog", "plumbing", "porcelain")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for words in (("init",), ("add", "one"), ("init", "other"), ("remote", "add", "o", "./other")):
        modules(tmp_path, *words)
    for verb in ("push", "pull"):  # what is only done once, such as noting who it is
        modules(tmp_path, verb, "-q", "o")
    return tmp_path


@pytest.fixture
def account(tmp_path: Path) -> str:
    account = str(tmp_path / "account")
    modules(tmp_path, "admin", "init", account)
    modules(tmp_path, "admin", "user", "add", "ann", "--role", "write", "--account", account)
    return account


def test_add(tmp_path: Path) -> None:
    modules(tmp_path, "init")
    loaded = modules(tmp_path, "add", "two")
    assert ours(loaded) == CLI | STORE | ADD
    assert loaded - ours(loaded) <= STANDARD


def test_add_by_somebody_who_has_a_name(folder: Path) -> None:
    loaded = modules(folder, "add", "two")
    assert ours(loaded) == CLI | STORE | ADD | SETTINGS | {"porcelain.settings"}
    assert loaded - ours(loaded) <= STANDARD


def test_list(folder: Path) -> None:
    loaded = modules(folder, "list", "-n", "20")
    assert ours(loaded) == CLI | STORE | LIST
    assert loaded - ours(loaded) <= STANDARD | {"contextlib"}


def test_receive_pack(tmp_path: Path, account: str) -> None:
    loaded = modules(tmp_path, "receive-pack", "ann", "--account", account)
    assert ours(loaded) <= CLI | STORE | SERVE
    assert loaded - ours(loaded) <= STANDARD | {"contextlib", "select"}


def test_what_a_login_starts_over_postgresql(tmp_path: Path, databases: Databases) -> None:
    """psycopg costs more than all else; what it imports besides would double that."""
    account = str(tmp_path / "account")
    modules(tmp_path, "admin", "init", account, "--store", databases.fresh())
    modules(tmp_path, "admin", "user", "add", "ann", "--role", "write", "--account", account)
    login = pwd.getpwuid(os.geteuid()).pw_name
    for words in (("receive-pack", "ann"), ("authorized-keys", login, "SHA256:unknown")):
        loaded = modules(tmp_path, *words, "--account", account)
        assert "psycopg" in loaded
        assert not loaded & set(ABSENT)


def test_receive_pack_of_a_repository_of_ones_own(folder: Path) -> None:
    loaded = modules(folder, "receive-pack", "--direct", ".")
    assert ours(loaded) == CLI | STORE | SERVE
    assert loaded - ours(loaded) <= STANDARD | {"contextlib", "select"}


@pytest.mark.parametrize(("verb", "own"), [("push", PUSH), ("pull", PULL)])
def test_what_talks_to_a_remote(folder: Path, verb: str, own: set[str]) -> None:
    """To one that needs no SSH: the other half of it runs in the same process."""
    loaded = modules(folder, verb, "o")
    assert ours(loaded) <= CLI | STORE | SERVE | EXCHANGE | own
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("ls-remote", "o"),
        ("list", "--json"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(folder: Path, words: tuple[str, ...]) -> None:
    loaded = modules(folder, *words)
    assert "_sqlite3" in loaded
    assert not loaded & (HEAVY - {"json"})
