"""`admin key`: the file that sshd reads follows the account, and the check sees what is wrong."""

import os
import pwd
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from msglog.account.authorized_keys import Entry, parse_authorized_keys, parse_options
from msglog.account.forced_command import parse_command
from msglog.dataclass import replace
from tests.msglog.account import keymaking as make
from tests.porcelain.admin.running import Home

ONE, TWO, THREE = (make.key(number).fingerprint for number in (1, 2, 3))


@pytest.fixture
def ann(home: Home) -> Home:
    """A home whose account has ann, with key 1."""
    home.do("user", "add", "ann", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1, comment="ann@laptop"))
    return home


def test_a_key_gets_its_line(ann: Home) -> None:
    (entry,) = parse_authorized_keys(ann.key_file.read_bytes())
    assert isinstance(entry, Entry)
    assert entry.options.restrict
    assert replace(entry.options, command=None) == parse_options("restrict")
    assert entry.fingerprint == ONE
    assert entry.options.command is not None
    command = parse_command(entry.options.command)
    assert command is not None
    assert command.exact
    assert (command.user, command.fingerprint, command.account) == ("ann", ONE, None)
    assert ann.key_file.stat().st_mode & 0o777 == 0o600
    assert ann.key_file.parent.stat().st_mode & 0o777 == 0o700
    assert ann.do("key", "check").output == f"{ann.key_file}: 1 line, all good\n"


def test_the_command_runs_this_msglog(ann: Home) -> None:
    (entry,) = parse_authorized_keys(ann.key_file.read_bytes())
    assert isinstance(entry, Entry)
    assert entry.options.command is not None
    start = entry.options.command.partition(" receive-pack ")[0]
    shown = subprocess.run(
        ["/bin/sh", "-c", f"{start} --version"],
        check=True,
        capture_output=True,
        cwd=ann.path,
        env={"PYTHONPATH": str(ann.path), "PATH": os.defpath},
    )
    assert shown.stdout.startswith(b"msglog ")
    assert start.split()[0] == sys.executable


def test_another_account_is_named_in_the_command(tmp_path: Path) -> None:
    home = Home(tmp_path)
    place = ["--account", "my logs", "--authorized-keys", "keys"]
    home.do("init", "my logs")
    home.do("user", "add", "ann", *place)
    home.do("key", "add", "ann", home.public_key(1), *place)
    assert f"--account '{tmp_path}/my logs'\"" in (tmp_path / "keys").read_text()
    assert not home.key_file.exists()


def test_the_default_account_named_is_still_the_default(home: Home) -> None:
    home.do("user", "add", "ann")
    home.do("key", "add", "ann", home.public_key(1), "--account", str(home.account))
    assert "--account" not in home.key_file.read_text()


@pytest.mark.parametrize("known", [True, False])
def test_sshd_looks_in_the_home_of_the_user_database(
    home: Home, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    def of_the_database(_: int) -> SimpleNamespace:
        if not known:
            raise KeyError
        return SimpleNamespace(pw_name="server", pw_dir="/nonexistent", pw_gid=1001)

    monkeypatch.setattr(pwd, "getpwuid", of_the_database)
    home.do("user", "add", "ann")
    home.do("key", "add", "ann", home.public_key(1))
    assert f'--account {home.account}"' in home.key_file.read_text()
    found = home.admin("key", "check", "--json").records
    assert [record["code"] for record in found] == (["other-key-file"] if known else [])


def test_keys_from_standard_input(home: Home) -> None:
    home.do("user", "add", "ann")
    data = f"{make.key(1, 'one').line}\r\n{make.key(2, 'two').line}".encode()
    for words in ([], ["-"]):
        result = home.do("key", "add", "ann", *words, stdin=data)
        assert len(result.output.splitlines()) == 2
    assert [key["comment"] for key in home.do("key", "list", "--json").records] == ["one", "two"]
    home.do("key", "check")


def test_the_same_key_twice_is_harmless_and_said(ann: Home) -> None:
    before = ann.key_file.read_bytes()
    result = ann.do("key", "add", "ann", ann.public_key(1))
    assert "has already" in result.output
    assert ann.do("key", "add", "ann", "key.pub", "--json").records[0]["new"] is False
    assert ann.key_file.read_bytes() == before


def test_the_same_key_for_two_is_refused(ann: Home) -> None:
    ann.do("user", "add", "bob")
    before = ann.key_file.read_bytes()
    result = ann.admin("key", "add", "bob", ann.public_key(1))
    assert result.status == 6
    assert "belongs to ann" in result.errors
    assert ann.key_file.read_bytes() == before


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (f'command="sh" {make.key(5).line}\n', 2, "options in front of a key"),
        (f"cert-authority {make.key(5).line}\n", 2, "options in front of a key"),
        (make.line(make.rsa(1024)), 6, "RSA keys of 1024 bits"),
        (make.line(make.string(b"ssh-dss") + bytes(9)), 6, "DSA"),
        (make.line(make.ed25519(), name="ssh-rsa"), 2, "does not match"),
        (f"{make.key(5).line} a\0b", 2, "control or invisible"),
        (f"{make.key(5).line} a\u2028b", 2, "control or invisible"),
        ("", 2, "there is no public key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", 2, "private key"),
        (f"{make.key(5).line}\nnonsense\n", 2, "line 2"),
    ],
)
def test_what_is_no_key_is_refused_and_nothing_is_written(
    ann: Home, data: str, status: int, said: str
) -> None:
    before = ann.key_file.read_bytes()
    result = ann.admin("key", "add", "ann", stdin=data.encode())
    assert result.status == status
    assert said in result.errors
    assert len(result.errors.splitlines()) == 1
    assert ann.key_file.read_bytes() == before
    assert len(ann.do("key", "list", "--json").records) == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["add", "bob", "key.pub"], 2, "no user"),
        (["add", "bob", "missing.pub"], 2, "no user"),
        (["add", "ann", "missing.pub"], 7, "no such file"),
        (["add", "ann", "."], 7, "not a file"),
        (["add", "ann", "a\0b"], 7, "cannot read"),
        (["remove", "ann", TWO], 2, "has no key"),
        (["remove", "bob", ONE], 2, "no user"),
        (["remove", "ann"], 2, "FINGERPRINT"),
        (["list", "bob"], 2, "no user"),
        (["rotate", "ann", "key.pub", "--replacing", TWO], 2, "has no key"),
    ],
)
def test_what_cannot_be_done(ann: Home, words: list[str], status: int, said: str) -> None:
    result = ann.admin("key", *words)
    assert result.status == status
    assert said in result.errors
    ann.do("key", "check")


def test_a_removed_key_leaves_no_line(ann: Home) -> None:
    ann.do("key", "add", "ann", ann.public_key(2))
    ann.do("key", "remove", "ann", ONE)
    ann.do("key", "remove", "ann", TWO.removeprefix("SHA256:"))
    assert ann.key_file.read_bytes() == b""
    assert ann.do("key", "list").output == ""


@pytest.mark.parametrize(
    ("words", "status"), [(("key", "remove", "ann", ONE), 2), (("user", "remove", "ann"), 2)]
)
def test_a_removal_that_was_cut_off_is_completed_by_the_same_again(
    ann: Home, words: tuple[str, ...], status: int
) -> None:
    before = ann.key_file.read_bytes()
    ann.do(*words)
    after = ann.key_file.read_bytes()
    assert ONE.encode() not in after
    ann.key_file.write_bytes(before)  # as if killed before the file was reached
    result = ann.admin(*words)
    assert (result.status, result.errors.count("\n")) == (status, 1)
    assert ann.key_file.read_bytes() == after


def test_a_key_is_rotated(ann: Home) -> None:
    result = ann.do("key", "rotate", "ann", ann.public_key(2))
    assert ONE in result.output
    assert ONE not in ann.key_file.read_text()
    assert TWO in ann.key_file.read_text()
    ann.do("key", "add", "ann", ann.public_key(3))
    result = ann.admin("key", "rotate", "ann", ann.public_key(4))
    assert result.status == 2
    assert "--replacing" in result.errors
    ann.do("key", "rotate", "ann", "key.pub", "--replacing", THREE)
    ann.do("key", "check")


def test_foreign_lines_are_kept(home: Home) -> None:
    foreign = f"# mine\r\n{make.line(make.rsa(), 'me')}".encode()
    home.key_file.parent.mkdir(mode=0o700)
    home.key_file.write_bytes(foreign)
    home.key_file.chmod(0o640)
    home.do("user", "add", "ann")
    home.do("key", "add", "ann", home.public_key(1))
    assert home.key_file.read_bytes().startswith(foreign + b"\n# BEGIN msglog ")
    assert home.key_file.stat().st_mode & 0o777 == 0o640
    home.do("user", "remove", "ann")
    assert home.key_file.read_bytes() == foreign + b"\n"


def test_the_check_names_each_line(ann: Home) -> None:
    ann.key_file.write_bytes(
        make.line(make.rsa(), "me").encode() + b"\n" + ann.key_file.read_bytes()
    )
    result = ann.admin("key", "check")
    assert result.status == 1
    assert f"{ann.key_file}:1: error: the key " in result.output
    assert " gets a shell. " in result.output
    found = ann.admin("key", "check", "--json")
    assert found.status == 1
    assert {(one["line"], one["code"], one["severity"]) for one in found.records} == {
        (1, code, "error") for code in ("shell", "forwarding", "terminal", "unrestricted")
    }
    assert all(one["remedy"] and one["file"] == str(ann.key_file) for one in found.records)


def test_the_check_looks_at_files_and_folders(ann: Home) -> None:
    for path, mode in [(ann.key_file, 0o666), (ann.path / ".ssh", 0o777), (ann.path, 0o775)]:
        before = path.stat().st_mode & 0o777
        path.chmod(mode)
        (found,) = ann.admin("key", "check", "--json").records
        assert (found["file"], found["code"]) == (str(path), "mode")
        path.chmod(before)
    ann.account.chmod(0o755)
    (found,) = ann.admin("key", "check", "--json").records
    assert (found["file"], found["code"]) == (str(ann.account), "mode")


def test_sync_puts_right_what_was_changed(ann: Home) -> None:
    good = ann.key_file.read_bytes()
    assert ann.do("key", "sync", "--json").records[0]["changed"] is False
    for damaged in (b"", good.replace(b"restrict,", b""), good.replace(b" -I ", b" ")):
        ann.key_file.write_bytes(damaged)
        assert ann.admin("key", "check").status == 1
        assert ann.do("key", "sync", "--json").records[0]["changed"] is True
        assert ann.key_file.read_bytes() == good
        ann.do("key", "check")


def test_nothing_is_added_where_the_file_cannot_be_written(ann: Home) -> None:
    lines = ann.key_file.read_bytes().splitlines(keepends=True)
    ann.key_file.write_bytes(lines[0] + lines[1])
    result = ann.admin("key", "add", "ann", ann.public_key(2))
    assert result.status == 7
    assert "at line 1" in result.errors
    assert len(ann.do("key", "list", "--json").records) == 1


def test_comments_are_shown_and_not_obeyed(home: Home) -> None:
    home.do("user", "add", "ann")
    home.do("key", "add", "ann", home.public_key(1, comment="[red]x[/red]"))
    assert "[red]x[/red]" in home.do("key", "list").output


def test_several_administrators_at_once(home: Home) -> None:
    def add(number: int) -> None:
        home.do("user", "add", f"user{number}")
        home.do("key", "add", f"user{number}", stdin=make.key(number).line.encode())

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(home.do("key", "list", "--json").records) == 8
    assert home.do("key", "check").output == f"{home.key_file}: 8 lines, all good\n"


def test_rotating_the_key_of_somebody_who_has_none(home: Home) -> None:
    home.do("user", "add", "ann")
    said = home.admin("key", "rotate", "ann", home.public_key(1)).errors
    assert "ann has no key. Give them one with `msglog admin key add ann FILE.pub`." in said
