"""authorized_keys as sshd reads it: quoting, options, and lines that it skips."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.account.authorized_keys import (
    Entry,
    Options,
    OptionsError,
    Unreadable,
    parse_authorized_keys,
    parse_line,
    parse_options,
)
from tests.msglog.account import keymaking as make

KEY = make.line(make.ed25519())
RESTRICTED = Options(
    restrict=True,
    port_forwarding=False,
    agent_forwarding=False,
    x11_forwarding=False,
    pty=False,
    user_rc=False,
)


def entry(line: str) -> Entry:
    found = parse_line(1, line.encode())
    assert isinstance(found, Entry)
    return found


def unreadable(line: str | bytes) -> str:
    found = parse_line(1, line if isinstance(line, bytes) else line.encode())
    assert isinstance(found, Unreadable)
    return found.why


def test_a_bare_key_gives_everything() -> None:
    found = entry(f"{KEY} ann at home")
    assert found.options == Options()
    assert found.options.command is None
    assert found.options.port_forwarding
    assert found.comment == "ann at home"
    assert found.blob == make.ed25519()


@pytest.mark.parametrize("line", ["", "   ", "\t", "# comment", "  # comment", "\r", "#" + KEY])
def test_nothing_on_a_line(line: str) -> None:
    assert parse_line(1, line.encode()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Options()),
        ("restrict", RESTRICTED),
        ("RESTRICT", RESTRICTED),
        ("pty,restrict", RESTRICTED),
        (",,restrict,", RESTRICTED),
        ("no-pty", Options(pty=False)),
        ("No-X11-Forwarding", Options(x11_forwarding=False)),
        ("no-port-forwarding,port-forwarding", Options()),
        ("cert-authority", Options(cert_authority=True)),
        ("no-touch-required,verify-required", Options()),
        ('command="x"', Options(command="x")),
        ('command="a b, c"', Options(command="a b, c")),
        (r'command="say \"hi\""', Options(command='say "hi"')),
        (r'command="a\b"', Options(command=r"a\b")),
        ('command=""', Options(command="")),
        ('environment="A=1",environment="B="', Options(environment=("A=1", "B="))),
        ('tunnel="0"', Options(tunnel="0")),
        # sshd reads numbers with strtonum, which takes these.
        ('tunnel=" +1"', Options(tunnel=" +1")),
        ('from="10.0.0.0/8",expiry-time="20300101"', Options(limits=("from", "expiry-time"))),
        ('permitopen="a:1",permitopen="b:2"', Options(limits=("permitopen",))),
        ('principals="a,b"', Options(limits=("principals",))),
    ],
)
def test_options(text: str, expected: Options) -> None:
    assert parse_options(text) == expected


def test_restrict_can_be_undone_after_it() -> None:
    options = parse_options("restrict,pty,port-forwarding")
    assert options.restrict
    assert options.pty
    assert options.port_forwarding
    assert not options.agent_forwarding


def test_a_line_of_very_many_options_is_read_in_time() -> None:
    assert parse_options(",".join(['permitopen="a:1"'] * 20_000)).limits == ("permitopen",)
    assert len(parse_options(",".join(['environment="A=1"'] * 1024)).environment) == 1024
    with pytest.raises(OptionsError, match="too many"):
        parse_options(",".join(['environment="A=1"'] * 2000))


@pytest.mark.parametrize(
    "text",
    [
        "no-restrict",
        "no-cert-authority",
        "nonsense",
        "restrictx",
        "restrict;pty",
        "command",
        "command=x",
        "command='x'",
        'command="x',
        'command="x\\"',
        'command="x\\\\"',
        'command="a",command="b"',
        'from="a",from="b"',
        'environment="no value"',
        'environment="=x"',
        'environment="A-B=x"',
        'command ="x"',
        '"restrict"',
    ],
)
def test_options_that_sshd_does_not_know(text: str) -> None:
    with pytest.raises(OptionsError):
        parse_options(text)


def test_the_options_end_at_a_space_outside_quotation_marks() -> None:
    assert entry(f'restrict,command="a b" {KEY}').options.command == "a b"
    assert entry(f'restrict,command="a \\" b"\t {KEY}').options.command == 'a " b'
    assert entry(f"restrict, {KEY}").options == RESTRICTED


def test_a_key_in_quotation_marks_is_no_key() -> None:
    # What looks like a restricted key is a bare one whose comment looks like options.
    assert entry(f'{KEY} restrict,command="x"').options == Options()
    assert "not closed" in unreadable(f'command="x {KEY}')


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !",
        make.line(make.ed25519(), name="ssh-rsa"),
        f"restrict restrict {KEY}",
        f"ssh-ed25519 {KEY}",
        f"restrict,nonsense {KEY}",
        f"\u00a0{KEY}",
    ],
)
def test_lines_that_let_nobody_in(line: str) -> None:
    assert unreadable(line)


@pytest.mark.parametrize("blob", make.ALL_BLOBS)
def test_all_types_that_msglog_takes_are_seen(blob: bytes) -> None:
    assert entry(make.line(blob)).blob == blob


def test_keys_that_msglog_does_not_take_are_seen() -> None:
    for blob in (
        make.rsa(1024),
        make.string(b"ssh-dss") + bytes(8),
        make.rsa(name=b"rsa-sha2-512"),
    ):
        assert entry(make.line(blob)).blob == blob
    assert entry(make.line(make.rsa(), name="rsa-sha2-256")).type == "rsa-sha2-256"


def test_cr_lf_and_a_missing_last_newline() -> None:
    data = f"{KEY} a\r\n# x\r\n\r\nrestrict {KEY}".encode()
    first, second = parse_authorized_keys(data)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.number, first.comment) == (1, "a")
    assert (second.number, second.options) == (4, RESTRICTED)


def test_sshd_sees_nothing_behind_a_nul() -> None:
    found = parse_line(1, f"{KEY} a\0b".encode())
    assert isinstance(found, Entry)
    assert found.has_nul
    assert found.comment == "a"
    assert parse_line(1, f"\0{KEY}".encode()) is None
    assert unreadable(f"restrict\0 {KEY}")


def test_only_lf_ends_a_line() -> None:
    for character in ("\r", "\x0b", "\x0c", "\x85", "\u2028"):
        lines = parse_authorized_keys(f"# x{character}{KEY}\n".encode())
        assert lines == []


def test_bytes_that_are_no_text() -> None:
    assert parse_line(1, b"\xff\xfe") == Unreadable(1, "there is no key that sshd knows")
    found = parse_line(1, f"{KEY} ".encode() + b"\xff")
    assert isinstance(found, Entry)
    assert found.comment == "\udcff"


def ssh_keygen_lines(path: Path) -> int:
    """How many keys OpenSSH sees in a file; it reads lines with the code of sshd."""
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(path)], check=False, capture_output=True, text=True
    )
    return len(shown.stdout.splitlines()) if shown.returncode == 0 else 0


@pytest.mark.parametrize(
    "line",
    [
        KEY,
        f"  {KEY}",
        f"\t{KEY}\r",
        f'restrict,command="a b" {KEY} comment',
        f'command="a \\" b" {KEY}',
        f"ssh-ed25519\t{KEY.split()[1]}",
        f"restrict restrict {KEY}",
        "ssh-ed25519 AAAA",
        make.line(make.rsa(), name="rsa-sha2-256"),
        make.line(make.ed25519(), name="ssh-rsa"),
        f"#{KEY}",
        KEY[:40] + "\x0b" + KEY[40:],
        KEY[:40] + "=" + KEY[40:],
        make.line(make.ecdsa("nistp384")),
    ],
)
def test_openssh_sees_the_same_keys(line: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(line + "\n")
    ours = [found for found in parse_authorized_keys(path.read_bytes()) if isinstance(found, Entry)]
    assert len(ours) == ssh_keygen_lines(path)


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    parse_authorized_keys(data)


@given(st.text(alphabet='restrictpycomand=",\\ no-', max_size=40))
def test_a_line_is_understood_or_says_why_not(options: str) -> None:
    found = parse_line(1, f"{options} {KEY}".encode())
    if isinstance(found, Entry) and not found.options.restrict:
        assert not options.lower().startswith(("restrict,", "restrict "))
