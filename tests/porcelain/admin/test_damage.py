"""Damage anywhere in an account's files: one line that says so, and no command that breaks down."""

import os
import random
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest

from msglog.account.checkup import Start
from msglog.account.publickey import fingerprint
from porcelain.admin import examination, place
from porcelain.cli import main
from tests.msglog.account import keymaking as make
from tests.porcelain.admin.running import Home

SEED = 20
ROUNDS = 25
STATUSES = {0, 1, 2, 3, 5, 6, 7}
COMMANDS = [
    "user list",
    "user show ann",
    "user list --json",
    "key list",
    "key list --json",
    "key check",
    "key sync",
    "policy list",
    "repository list",
    "audit",
    "audit --json",
    "set audit.keep",
    "doctor",
    "authorized-keys",
    "receive-pack",
    "user set-role bob read",
    "grant bob read x/*",
    "revoke bob x/*",
    "policy unset *",
    "user rename bob rob",
    "user remove rob",
    "user add carl --role read",
]
FINGERPRINT = fingerprint(make.ed25519(0))
CALL = "msglog receive-pack ls-refs= fetch:main="


@pytest.fixture
def account(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An account with something in each of its tables; what starts processes is left out."""
    monkeypatch.setattr(examination, "sshd_settings", lambda *_: None)
    monkeypatch.setattr(examination, "has_password", lambda *_: False)
    monkeypatch.setattr(examination, "start_through", lambda *_: Start())
    monkeypatch.setattr(place, "why_unstartable", lambda _: "")
    monkeypatch.setattr(place, "check_starts", lambda _: None)
    for number, name in enumerate(("ann", "bob")):
        home.do("user", "add", name, "--role", "write")
        home.do("key", "add", name, home.public_key(number, comment=f"{name}@laptop"))
        home.do("grant", name, "read", "archive/*")
    home.do("grant", "*", "append", "main")
    home.do("policy", "set", "*", "enforce-author=off", "max-future=300", "quota-messages=1000")
    home.do("set", "audit.keep", "1000")
    return home


def outcome(home: Home, command: str) -> tuple[int, str]:
    """Run a command; return its exit status and what it says of an error."""
    if command == "receive-pack":
        words = ["receive-pack", "ann", "--account", str(home.account)]
    elif command == "authorized-keys":
        words = ["authorized-keys", "server", FINGERPRINT, "--account", str(home.account)]
    else:
        words = ["-C", str(home.path), "admin", *command.split(" ")]
    environment = {"HOME": str(home.path), "SSH_ORIGINAL_COMMAND": CALL}
    errors = BytesIO()
    # receive-pack closes the descriptors that it was given.
    ends = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
    stdin, stdout = os.fdopen(ends[0], "rb", closefd=False), os.fdopen(ends[1], "wb", closefd=False)
    try:
        status = main(words, environment, stdin, stdout, errors)
    finally:
        for end in ends:
            with suppress(OSError):
                os.close(end)
    return status, errors.getvalue().decode()


def check(home: Home, damage: str) -> None:
    for command in COMMANDS:
        status, said = outcome(home, command)
        lines = [line for line in said.splitlines() if line.startswith("msglog: error: ")]
        assert status in STATUSES, (damage, command, said)
        assert len(lines) <= 1, (damage, command, said)
        assert said.replace("\n", "").isprintable(), (damage, command, said)
        assert command == "receive-pack" or bool(lines) == (status not in (0, 1)), (
            damage,
            command,
            said,
        )


@pytest.mark.parametrize("name", ["account.db", "repositories/main/store.db"])
def test_bytes_that_changed_anywhere(account: Home, name: str) -> None:
    file = account.account / name
    files = {path: path.read_bytes() for path in account.account.rglob("*.db")}
    whole = files[file]
    used = [at for at, byte in enumerate(whole) if byte]
    chance = random.Random(SEED)
    for _ in range(ROUNDS):
        data = bytearray(whole)
        places = [chance.choice(used) for _ in range(chance.choice((1, 1, 3)))]
        for at in places:
            data[at] ^= chance.choice((0x01, 0x80, 0xFF, 1 << chance.randrange(8)))
        _restore(account, files)
        file.write_bytes(data)
        check(account, f"{name} at {places}: {[data[at] for at in places]}")


@pytest.mark.parametrize("name", ["account.db", "repositories/main/store.db"])
@pytest.mark.parametrize("part", [0, 0.001, 0.3, 0.5, 0.99])
def test_a_file_that_was_cut_off(account: Home, name: str, part: float) -> None:
    file = account.account / name
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])
    check(account, f"{name} cut to {part}")


def _restore(home: Home, files: dict[Path, bytes]) -> None:
    for rest in home.account.rglob("*.db-*"):
        rest.unlink()
    for path, data in files.items():
        path.write_bytes(data)


def test_a_client_is_told_that_a_repository_is_unusable_and_not_that_there_is_none(
    account: Home,
) -> None:
    (account.account / "repositories" / "main" / "store.db").write_bytes(b"\xff" * 5000)
    ours, theirs = os.pipe()
    stdin, stdout = BytesIO(), os.fdopen(theirs, "wb", closefd=False)
    words = ["receive-pack", "ann", "--account", str(account.account)]
    environment = {"HOME": str(account.path), "SSH_ORIGINAL_COMMAND": CALL}
    assert main(words, environment, stdin, stdout, BytesIO()) == 7
    with suppress(OSError):
        os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        assert b"error storage the server cannot" in answer.read()
