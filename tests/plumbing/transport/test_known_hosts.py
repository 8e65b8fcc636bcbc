"""known_hosts: names, patterns, hashes, markers; ssh-keygen is the judge of what it wrote."""

import base64
import hmac
import subprocess
from pathlib import Path

import pytest

from plumbing.transport.known_hosts import (
    HostKey,
    Verdict,
    append_host_key,
    fingerprint,
    host_name,
    judge,
    read_host_keys,
)

BLOB = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(range(32))
OTHER = BLOB[:-1] + b"\xff"
TEXT = base64.b64encode(BLOB).decode()


def read(tmp_path: Path, text: str, name: str) -> list[HostKey]:
    path = tmp_path / "known_hosts"
    path.write_text(text)
    return read_host_keys([tmp_path / "missing", path], name)


@pytest.mark.parametrize(
    ("patterns", "name", "matches"),
    [
        ("host", "host", True),
        ("HOST", "host", True),
        ("host", "HOST", True),
        ("host", "host2", False),
        ("other,host", "host", True),
        ("*.example", "a.example", True),
        ("h?st", "host", True),
        ("*,!host", "host", False),
        ("*,!host", "other", True),
        ("[host]:2222", "[host]:2222", True),
        ("[host]:2222", "h", False),
        ("[*]:2222", "[host]:2222", True),
        ("host", "[host]:2222", False),
        ("|1|x|y", "host", False),
        ("|1|", "host", False),
    ],
)
def test_which_lines_speak_of_a_host(
    tmp_path: Path, patterns: str, name: str, *, matches: bool
) -> None:
    keys = read(tmp_path, f"# a comment\n\n{patterns} ssh-ed25519 {TEXT} a comment\r\n", name)
    assert len(keys) == matches
    if matches:
        assert keys == [HostKey("ssh-ed25519", BLOB, "", f"{tmp_path}/known_hosts:3")]


def test_a_hashed_name(tmp_path: Path) -> None:
    salt = bytes(20)
    digest = base64.b64encode(hmac.digest(salt, b"[host]:2222", "sha1")).decode()
    line = f"|1|{base64.b64encode(salt).decode()}|{digest} ssh-ed25519 {TEXT}\n"
    assert len(read(tmp_path, line, "[host]:2222")) == 1
    assert read(tmp_path, line, "host") == []


@pytest.mark.parametrize(
    "line",
    [
        "host",
        "host ssh-ed25519",
        "host ssh-ed25519 ???",
        "@revoked",
        "@revoked host",
        "\x00 \x00 x",
    ],
)
def test_lines_that_are_no_keys(tmp_path: Path, line: str) -> None:
    assert read(tmp_path, f"{line}\nhost ssh-ed25519 {TEXT}", "host")[0].place.endswith(":2")


def key(blob: bytes, marker: str = "") -> HostKey:
    return HostKey("ssh-ed25519", blob, marker, "known_hosts:1")


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        ([], Verdict.UNKNOWN),
        ([key(BLOB)], Verdict.KNOWN),
        ([key(OTHER), key(BLOB)], Verdict.KNOWN),
        ([key(OTHER)], Verdict.CHANGED),
        ([key(BLOB), key(BLOB, "@revoked")], Verdict.REVOKED),
        ([key(OTHER, "@revoked"), key(BLOB)], Verdict.KNOWN),
        ([key(OTHER, "@revoked")], Verdict.UNKNOWN),
        ([key(BLOB, "@cert-authority")], Verdict.UNKNOWN),
    ],
)
def test_verdicts(keys: list[HostKey], verdict: Verdict) -> None:
    assert judge(keys, BLOB)[0] is verdict


def test_names_off_the_usual_port() -> None:
    assert (host_name("host", 22), host_name("::1", 2222)) == ("host", "[::1]:2222")


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("before", [None, "", "# x", "# x\n"])
def test_what_is_appended_is_what_ssh_keygen_finds(
    tmp_path: Path, before: str | None, *, hashed: bool
) -> None:
    path = tmp_path / ".ssh" / "known_hosts"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    append_host_key(path, "[host]:2222", "ssh-ed25519", BLOB, hashed=hashed)
    append_host_key(path, "host", "ssh-ed25519", OTHER, hashed=hashed)
    assert judge(read_host_keys([path], "[host]:2222"), BLOB)[0] is Verdict.KNOWN
    assert judge(read_host_keys([path], "host"), BLOB)[0] is Verdict.CHANGED
    assert ("[host]" in path.read_text()) is not hashed
    if before:
        assert path.read_text().startswith("# x\n")
    words = ["ssh-keygen", "-l", "-F", "[host]:2222", "-f", str(path)]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert fingerprint(BLOB) in found
