"""The forced command: written so that sshd and a shell give back what was meant."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.account.authorized_keys import parse_options
from msglog.account.forced_command import (
    ForcedCommand,
    Program,
    UnsafePathError,
    parse_command,
    quote_path,
)

FINGERPRINT = "SHA256:" + "a+/Z" * 10 + "abc"
PROGRAM = Program("/venv/bin/python", "/venv/bin/msglog")
PLAIN = f"/venv/bin/python -I /venv/bin/msglog receive-pack alice --key {FINGERPRINT}"


def test_the_usual_form() -> None:
    assert ForcedCommand(PROGRAM, "alice", FINGERPRINT).text() == PLAIN


def test_the_account_is_named_where_it_is_not_the_default() -> None:
    command = ForcedCommand(PROGRAM, "alice", FINGERPRINT, "/srv/my logs")
    assert command.text() == f"{PLAIN} --account '/srv/my logs'"


@pytest.mark.parametrize("user", ["", "-x", "a b", "a;id", "$(id)", 'a"b', "../x", "a\n"])
def test_users_that_are_none_are_never_written(user: str) -> None:
    with pytest.raises(ValueError, match="SHA256"):
        ForcedCommand(PROGRAM, user, FINGERPRINT).text()


@pytest.mark.parametrize("fingerprint", ["", "MD5:x", FINGERPRINT + " ", FINGERPRINT + "\n"])
def test_fingerprints_that_are_none_are_never_written(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="alice"):
        ForcedCommand(PROGRAM, "alice", fingerprint).text()


@pytest.mark.parametrize(
    "path",
    [
        "/a\nb",
        "/a\rb",
        "/a\0b",
        "/a\x85b",
        "/a\u2028b",
        '/a"b',
        "/a'b",
        "/a\\b",
        "/a`b",
        "/a!b",
        "/\udcff",
    ],
)
def test_paths_that_cannot_be_quoted_are_refused(path: str) -> None:
    with pytest.raises(UnsafePathError, match="cannot write"):
        quote_path(path)


@pytest.mark.parametrize("path", ["", "bin/python", "~/bin/python", "./x"])
def test_relative_paths_are_refused(path: str) -> None:
    with pytest.raises(UnsafePathError, match="not absolute"):
        quote_path(path)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_whatever_is_written_comes_back_through_sshd_and_shell(name: str) -> None:
    try:
        quoted = quote_path(f"/{name}")
    except UnsafePathError:
        return
    # sshd works on bytes; its options have one character a byte here.
    written = f'restrict,command="{quoted}"'.encode().decode("latin-1")
    command = parse_options(written).command
    assert command is not None
    assert shlex.split(command) == [f"/{name}"]


@pytest.mark.parametrize(
    "path", ["/a b", "/$HOME", "/a;id", "/a$(id)", "/ä ö", "/a*b", "/#a", "/a&b|c"]
)
def test_a_real_shell_agrees(path: str) -> None:
    shown = subprocess.run(
        ["/bin/sh", "-c", f"printf %s {quote_path(path)}"], check=True, capture_output=True
    )
    assert shown.stdout.decode() == path


def test_what_we_write_is_recognised() -> None:
    for account in (None, "/srv/my logs"):
        text = ForcedCommand(PROGRAM, "alice", FINGERPRINT, account).text()
        found = parse_command(text)
        assert found is not None
        assert found.exact
        assert (found.user, found.fingerprint, found.account) == ("alice", FINGERPRINT, account)
        assert found.before == ("/venv/bin/python", "-I", "/venv/bin/msglog")


@pytest.mark.parametrize(
    "command",
    [
        "msglog receive-pack alice",
        f"/venv/bin/msglog receive-pack alice --key {FINGERPRINT}",
        PLAIN.replace(" -I", ""),
        PLAIN.replace("-I", "-i"),
        PLAIN.replace("/venv/bin/python", "python"),
        PLAIN + " ; sh",
        PLAIN + ";sh",
        PLAIN + " && sh",
        PLAIN.replace("alice", "$USER"),
        "  " + PLAIN,
        PLAIN.replace("alice", "'alice'"),
        f"cd / && {PLAIN}",
        f"env X=1 {PLAIN}",
    ],
)
def test_other_forms_are_recognised_and_not_exact(command: str) -> None:
    found = parse_command(command)
    assert found is not None
    assert not found.exact


@pytest.mark.parametrize(
    "command",
    ["", "sh", "receive-pack alice", "git receive-pack alice", "msglog receive-pack", "'"],
)
def test_other_commands_are_not_ours(command: str) -> None:
    assert parse_command(command) is None


def test_a_certificate_has_no_key_to_name() -> None:
    text = ForcedCommand(PROGRAM, "alice", None, "/srv/logs").text()
    assert text == "/venv/bin/python -I /venv/bin/msglog receive-pack alice --account /srv/logs"
    found = parse_command(text)
    assert found is not None
    assert not found.exact  # in authorized_keys there is always a key
