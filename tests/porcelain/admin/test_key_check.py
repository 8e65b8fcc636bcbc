"""`admin key check`: sshd's settings count, `--fix` mends what is ours and leaves what is not."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from msglog.account import keyfile
from tests.msglog.account import keymaking as make
from tests.porcelain.admin.running import Home, Result

SSHD = """\
HostKey /nonexistent
AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2
"""
CONFIG = ("--sshd-config", "sshd_config")
FOREIGN = f"{make.line(make.rsa(3072, exponent=17), 'me')}\r\n# mine\n".encode()
SHELL = {"shell", "forwarding", "terminal", "unrestricted"}


@pytest.fixture
def ann(home: Home) -> Home:
    """A home whose account has ann, with key 1, and a sshd that reads its file."""
    home.do("user", "add", "ann", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1, comment="ann@laptop"))
    (home.path / "sshd_config").write_text(SSHD)
    return home


def check(home: Home, *words: str, status: int) -> Result:
    result = home.admin("key", "check", *CONFIG, *words)
    assert result.status == status, result.output + result.errors
    return result


def found(home: Home, *words: str, status: int = 1) -> list[tuple[Any, ...]]:
    """What is found: line, code and severity, and with --fix what came of it."""
    records = check(home, "--json", *words, status=status).records
    names = ("line", "code", "severity", *(["state"] if words else []))
    return [tuple(record[name] for name in names) for record in records]


def configure(home: Home, *lines: str) -> None:
    """Set what sshd is told, in front of all else: the first value of a keyword counts."""
    (home.path / "sshd_config").write_text("".join(f"{line}\n" for line in lines) + SSHD)


def test_nothing_is_wrong(ann: Home) -> None:
    said = f"{ann.key_file}: 1 line, all good\n"
    for words in ([], ["--fix"], ["--dry-run"]):
        result = check(ann, *words, status=0)
        assert (result.output, result.errors) == (said, "")
        assert check(ann, "--json", *words, status=0).output == ""
        assert check(ann, "-q", *words, status=0).output == ""


@pytest.mark.parametrize(
    ("line", "code", "severity"),
    [
        ("PubkeyAuthentication no", "no-keys", "error"),
        ("AuthenticationMethods publickey,password", "methods", "error"),
        ("AuthorizedKeysFile /etc/ssh/keys/%u", "other-key-file", "error"),
        ("ForceCommand /bin/date", "force-command", "error"),
        ("ChrootDirectory /", "chroot", "error"),
        ("DenyUsers server", "denied", "error"),
        ("AllowUsers bob", "not-allowed", "error"),
        ("AllowGroups no-such-group", "not-allowed", "error"),
        ("StrictModes no", "strict-modes", "warning"),
    ],
)
def test_settings_under_which_no_line_counts(
    ann: Home, monkeypatch: pytest.MonkeyPatch, line: str, code: str, severity: str
) -> None:
    # The made-up account has no group that this machine knows, unless it gets one.
    monkeypatch.setattr(os, "getgrouplist", lambda *_: [0])
    configure(ann, line)
    assert found(ann) == [(None, code, severity)]
    before = ann.key_file.read_bytes()
    assert found(ann, "--fix") == [(None, code, severity, "left")]
    assert ann.key_file.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("PubkeyAcceptedAlgorithms rsa-sha2-512", "refused-type"),
        ("RequiredRSASize 4096", "refused-size"),
    ],
)
def test_lines_that_sshd_refuses_by_its_settings(ann: Home, line: str, code: str) -> None:
    ann.do("key", "add", "ann", stdin=make.line(make.rsa(3072)).encode())
    configure(ann, line)
    number = 2 if code == "refused-type" else 3
    assert found(ann) == [(number, code, "error")]
    assert found(ann, "--fix") == [(number, code, "error", "left")]


def test_settings_for_another_account_do_not_count(ann: Home) -> None:
    (ann.path / "sshd_config").write_text(
        f"{SSHD}Match User other\n    ForceCommand /bin/date\n    PubkeyAuthentication no\n"
    )
    check(ann, status=0)


def test_a_second_file_that_sshd_reads(ann: Home) -> None:
    second = ann.key_file.with_name("authorized_keys2")
    second.write_bytes(b"\n" + FOREIGN)
    second.chmod(0o666)
    records = check(ann, "--json", status=1).records
    assert {(record["file"], record["line"]) for record in records} == {
        (str(second), None),
        (str(second), 2),
    }
    assert {record["code"] for record in records} == {"mode", *SHELL}
    fixed = check(ann, "--fix", "--json", status=1).records
    assert {record["code"] for record in fixed if record["state"] == "fixed"} == {"mode"}
    assert {record["code"] for record in fixed if record["state"] == "left"} == SHELL
    assert second.read_bytes() == b"\n" + FOREIGN
    second.unlink()
    second.mkdir()
    assert [record["code"] for record in check(ann, "--json", status=1).records] == ["unread"]


def test_no_line_is_missing_where_sshd_asks_the_tables(ann: Home) -> None:
    ann.key_file.write_bytes(b"")
    assert found(ann) == [(None, "missing-line", "error")]
    (ann.path / "sshd_config").write_text(
        "AuthorizedKeysFile none\nAuthorizedKeysCommandUser nobody\n"
        "AuthorizedKeysCommand /usr/bin/env msglog authorized-keys %u %f\n"
    )
    check(ann, status=0)


def test_other_keys_than_those_in_files_are_named(ann: Home) -> None:
    configure(ann, "AuthorizedKeysCommand /usr/bin/env other", "AuthorizedKeysCommandUser nobody")
    assert found(ann) == [(None, "unseen-keys", "warning")]


def test_settings_that_cannot_be_read_are_a_note_and_no_finding(ann: Home) -> None:
    (ann.path / "sshd_config").write_text("No such keyword\n")
    result = check(ann, status=0)
    assert "could not be read" in result.errors
    assert "user=server" in result.errors
    assert result.output.endswith("all good\n")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "unrestricted": lambda good: good.replace(b"restrict,", b""),
    "environment": lambda good: good.replace(b"restrict,", b'restrict,environment="A=1",'),
    "not isolated": lambda good: good.replace(b" -I ", b" "),
    "wrong user": lambda good: good.replace(b"receive-pack ann", b"receive-pack bob"),
    "wrong key": lambda good: good.replace(b"--key SHA256:", b"--key SHA256:x", 1),
    "unknown key": lambda good: good.replace(b"AQEB", b"AQEC"),
    "twice": lambda good: good.replace(b"# END", good.splitlines()[1] + b"\n# END"),
    "no end": lambda good: good.replace(b"# END", b"# end"),
    "no beginning": lambda good: good.split(b"\n", 1)[1],
    "two beginnings": lambda good: good.split(b"\n", 1)[0] + b"\n" + good,
    "moved out": lambda good: b"".join(
        good.splitlines(keepends=True)[number] for number in (1, 0, 2)
    ),
    "limited": lambda good: good.replace(b"restrict,", b'restrict,from="10.0.0.0/8",'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_ours_is_mended(ann: Home, damage: str) -> None:
    good = ann.key_file.read_bytes()
    damaged = DAMAGES[damage](good)
    assert damaged != good
    ann.key_file.write_bytes(damaged)
    expected = found(ann)
    told = found(ann, "--dry-run", status=0)
    assert told == [(*one, "fixable") for one in expected]
    assert ann.key_file.read_bytes() == damaged
    assert found(ann, "--fix", status=0) == [(*one, "fixed") for one in expected]
    # A line that replaces one mark of a block is a comment of somebody else's.
    assert ann.key_file.read_bytes() == good + (
        damaged.splitlines(keepends=True)[2] if damage == "no end" else b""
    )
    check(ann, status=0)


@pytest.mark.parametrize("damage", DAMAGES)
def test_lines_of_others_stay_as_they_are(ann: Home, damage: str) -> None:
    good = ann.key_file.read_bytes()
    tail = b"nonsense\0\r\nlast without a newline"
    ann.key_file.write_bytes(FOREIGN + DAMAGES[damage](good) + tail)
    result = check(ann, "--fix", "--json", status=1)
    left = {(one["line"], one["code"]) for one in result.records if one["state"] == "left"}
    assert {(1, code) for code in SHELL} <= left
    assert {code for _, code in left} == SHELL | {"unreadable"}
    data = ann.key_file.read_bytes()
    comment = b"# end" + good.split(b"# END")[1] if damage == "no end" else b""
    assert data in (FOREIGN + good + comment + tail, FOREIGN + tail + b"\n" + good)


def test_a_line_of_ours_that_a_person_wrote_is_left(ann: Home) -> None:
    good = ann.key_file.read_bytes()
    mine = good.splitlines()[1].replace(b"restrict,", b'restrict,from="10.0.0.0/8",') + b"\n"
    ann.key_file.write_bytes(mine + good)
    told = found(ann, "--fix")
    assert {(line, code, state) for line, code, _, state in told} == {
        (1, "outside-block", "left"),
        (3, "duplicate", "left"),
    }
    assert ann.key_file.read_bytes() == mine + good


def test_modes_are_mended(ann: Home) -> None:
    places = {ann.key_file: 0o666, ann.path / ".ssh": 0o777, ann.path: 0o775, ann.account: 0o755}
    for path, mode in places.items():
        path.chmod(mode)
    assert len(found(ann)) == 4
    assert {one[-1] for one in found(ann, "--dry-run", status=0)} == {"fixable"}
    assert [path.stat().st_mode & 0o777 for path in places] == list(places.values())
    assert {one[-1] for one in found(ann, "--fix", status=0)} == {"fixed"}
    assert [path.stat().st_mode & 0o777 for path in places] == [0o644, 0o755, 0o755, 0o700]
    check(ann, status=0)


def test_a_file_that_sshd_cannot_read_is_opened_and_read(ann: Home) -> None:
    good = ann.key_file.read_bytes()
    ann.key_file.write_bytes(b"")
    ann.key_file.chmod(0)
    codes = {code for _, code, _ in found(ann)}
    # root reads it all the same, and sees what is in it at once.
    assert codes in ({"unreadable-file", "unusable"}, {"unreadable-file", "missing-line"})
    assert {one[-1] for one in found(ann, "--fix", status=0)} == {"fixed"}
    assert ann.key_file.read_bytes() == good
    assert ann.key_file.stat().st_mode & 0o777 == 0o400


def test_what_is_no_file_is_a_finding(ann: Home) -> None:
    ann.key_file.unlink()
    ann.key_file.mkdir()
    assert found(ann) == [(None, "unusable", "error")]
    assert found(ann, "--fix") == [(None, "unusable", "error", "left")]
    assert found(ann, "--dry-run") == [(None, "unusable", "error", "left")]
    ann.key_file.rmdir()
    ann.key_file.symlink_to(ann.key_file)
    assert [code for _, code, _ in found(ann)] == ["unusable"]


def test_a_folder_that_others_share_keeps_its_mode(ann: Home, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    place = ("--authorized-keys", str(shared / "keys"))
    configure(ann, f"AuthorizedKeysFile {shared}/keys")
    told = found(ann, "--fix", *place)
    assert (None, "missing-line", "error", "fixed") in told
    assert (None, "mode", "error", "left") in told
    assert shared.stat().st_mode & 0o777 == 0o777


def test_it_says_what_was_fixed_and_what_is_left(ann: Home) -> None:
    ann.key_file.write_bytes(FOREIGN + ann.key_file.read_bytes().replace(b" -I ", b" "))
    result = check(ann, "-n", status=1)
    assert f"{ann.key_file}:4: would be fixed: the command does not start msglog" in result.output
    assert result.output.endswith(f"{ann.key_file}: 1 would be fixed, 4 left for you\n")
    result = check(ann, "--fix", status=1)
    assert f"{ann.key_file}:4: fixed: the command does not start msglog" in result.output
    assert f"{ann.key_file}:1: error: the key " in result.output
    assert result.output.endswith(f"{ann.key_file}: 1 fixed, 4 left for you\n")
    ann.key_file.write_bytes(ann.key_file.read_bytes().replace(b" -I ", b" "))
    assert "[command-form]" not in check(ann, "--fix", "-q", status=1).output


def test_fixing_is_recorded(ann: Home) -> None:
    ann.key_file.write_bytes(b"")
    check(ann, status=1)
    check(ann, "--fix", status=0)
    operations = [record["operation"] for record in ann.do("audit", "--json").records]
    assert operations.count("admin key check") == 1


def test_a_change_from_outside_in_the_middle_is_taken_up(
    ann: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ann.key_file.read_bytes()
    ann.key_file.write_bytes(b"")
    real = keyfile._replace
    changes = iter([FOREIGN])

    def replace(target: Path, *more: Any) -> bool:
        for change in changes:
            target.write_bytes(change)
        return real(target, *more)

    monkeypatch.setattr(keyfile, "_replace", replace)
    told = found(ann, "--fix")
    assert (None, "missing-line", "error", "fixed") in told
    assert ann.key_file.read_bytes() == FOREIGN + good


def test_a_file_that_cannot_be_written_is_an_error_after_the_report(
    ann: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.key_file.write_bytes(b"")
    ann.path.chmod(0o775)
    monkeypatch.setattr("porcelain.admin.key_check.LOCK_SECONDS", 0)
    with ann.key_file.with_name(".authorized_keys.msglog-lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = check(ann, "--fix", "--json", status=7)
    assert [(one["code"], one["state"]) for one in result.records] == [
        ("mode", "fixed"),
        ("missing-line", "left"),
    ]
    assert "another msglog is writing it" in result.errors
    assert len(result.errors.splitlines()) == 1
    assert ann.key_file.read_bytes() == b""


def test_where_msglog_does_not_start_no_line_is_written(
    ann: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("porcelain.admin.place.why_unstartable", lambda _: "it is broken")
    ann.key_file.write_bytes(b"")
    told = found(ann, "--fix")
    assert {code for _, code, _, _ in told} == {"missing-line", "not-starting"}
    assert {state for _, _, _, state in told} == {"left"}
    assert ann.key_file.read_bytes() == b""
