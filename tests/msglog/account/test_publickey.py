"""Public keys: what is taken, what is not, and that OpenSSH agrees."""

import base64
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.account.publickey import (
    FILE_BYTES,
    FILE_KEYS,
    PublicKeyError,
    PublicKeyRefusedError,
    check_blob,
    parse_public_key,
    parse_public_keys,
    rsa_bits,
)
from tests.msglog.account import keymaking as make

GOOD = make.line(make.ed25519(), "ann@laptop")


@pytest.mark.parametrize("blob", make.ALL_BLOBS)
def test_every_type_that_is_taken(blob: bytes) -> None:
    text = make.line(blob, "ann at work")
    key = parse_public_key(text)
    assert key.line == text
    assert key.blob == blob
    assert key.comment == "ann at work"


@pytest.mark.parametrize(
    "options",
    [
        ["-t", "ed25519"],
        ["-t", "rsa", "-b", "3072"],
        ["-t", "ecdsa", "-b", "256"],
        ["-t", "ecdsa", "-b", "384"],
        ["-t", "ecdsa", "-b", "521"],
    ],
)
def test_openssh_keys_have_the_fingerprint_that_openssh_shows(
    options: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "key"
    make_key = ["ssh-keygen", "-q", "-N", "", "-C", "a comment", "-f", str(path), *options]
    subprocess.run(make_key, check=True)
    public = path.with_suffix(".pub")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(public)], check=True, capture_output=True, text=True
    ).stdout
    (key,) = parse_public_keys(public.read_bytes())
    assert key.fingerprint == shown.split()[1]
    assert key.comment == "a comment"


@pytest.mark.parametrize("blob", make.ALL_BLOBS)
def test_openssh_reads_the_made_up_keys_too(blob: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    path.write_text(make.line(blob) + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(path)], check=True, capture_output=True, text=True
    ).stdout
    assert parse_public_key(make.line(blob)).fingerprint == shown.split()[1]


@pytest.mark.parametrize("blob", make.ALL_BLOBS)
def test_a_blob_is_read_to_its_last_byte(blob: bytes) -> None:
    name = parse_public_key(make.line(blob)).type
    for size in range(len(blob)):
        with pytest.raises((PublicKeyError, PublicKeyRefusedError)):
            check_blob(name, blob[:size])
    with pytest.raises(PublicKeyError, match="something follows"):
        check_blob(name, blob + b"\0")


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (make.rsa(1024), "RSA keys of 1024 bits"),
        (make.rsa(2048), "RSA keys of 2048 bits"),
        (make.rsa(3071), "RSA keys of 3071 bits"),
        (make.rsa(16385), "RSA keys of 16385 bits"),
        (make.string(b"ssh-dss") + make.integer(5), "DSA"),
        (make.string(b"ssh-ed25519-cert-v01@openssh.com") + bytes(40), "certificates"),
        (make.string(b"ssh-rsa-cert-v01@openssh.com") + bytes(40), "certificates"),
    ],
)
def test_refused_by_policy(blob: bytes, why: str) -> None:
    with pytest.raises(PublicKeyRefusedError, match=why):
        parse_public_key(make.line(blob))


@pytest.mark.parametrize(
    "blob",
    [
        make.ed25519(size=31),
        make.ed25519(size=33),
        make.rsa(exponent=1),
        make.rsa(exponent=65536),
        make.rsa(name=b"rsa-sha2-256"),
        make.ecdsa(point=b"\x02" + bytes(32)),
        make.ecdsa(point=b"\x04" + bytes(64)),
        make.ecdsa(point=b"\x04" + b"\xff" * 64),
        make.ecdsa(point=make.base_point("nistp384")),
        make.sk_ed25519(b""),
        make.sk_ed25519(b"x" * 300),
        make.string(b"ssh-rsa") + make.string(b"\xff") + make.integer(3),
        make.string(b"ssh-rsa") + make.string(b"\0\0\x03") + make.integer(1 << 3072),
        make.string(b"ssh-rsa") + make.string(b"\0\0\x03") + make.integer((1 << 3071) + 1),
        make.string(b"ssh-rsa") + b"\xff\xff\xff\xff",
    ],
)
def test_damaged_keys(blob: bytes) -> None:
    with pytest.raises(PublicKeyError):
        parse_public_key(make.line(blob))


def test_the_type_must_match_the_contents() -> None:
    with pytest.raises(PublicKeyError, match="does not match its contents"):
        parse_public_key(make.line(make.ed25519(), name="ssh-rsa"))
    with pytest.raises(PublicKeyError, match="does not match its contents"):
        parse_public_key(make.line(make.ecdsa("nistp384"), name="ecdsa-sha2-nistp256"))


def test_a_curve_must_match_its_type() -> None:
    blob = (
        make.string(b"ecdsa-sha2-nistp256")
        + make.string(b"nistp384")
        + make.string(make.base_point("nistp384"))
    )
    with pytest.raises(PublicKeyError, match="curve does not match"):
        parse_public_key(make.line(blob))


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\0", "\x85", "\u2028", "\x1b", "\u202e", "\ud800"]
)
@pytest.mark.parametrize("place", [0, 5, 20, len(GOOD) - 3, len(GOOD)])
def test_no_control_or_invisible_characters(character: str, place: int) -> None:
    with pytest.raises(PublicKeyError, match="control or invisible"):
        parse_public_key(GOOD[:place] + character + GOOD[place:])


@pytest.mark.parametrize(
    "options",
    [
        'command="sh"',
        'command="a b"',
        'environment="X=1"',
        "cert-authority",
        'from="10.0.0.1"',
        "restrict",
        "restrict,pty",
        "no-pty",
        "ssh-rsa,ssh-rsa",
    ],
)
def test_options_are_not_taken(options: str) -> None:
    with pytest.raises(PublicKeyError, match="options in front of a key"):
        parse_public_key(f"{options} {GOOD}")


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "ssh-ed25519",
        "ssh-ed25519 ",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 äöü",
        "AAAAC3NzaC1lZDI1NTE5AAAAIA==",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "---- BEGIN SSH2 PUBLIC KEY ----",
        GOOD.replace("ssh-ed25519", "SSH-ED25519"),
    ],
)
def test_other_lines_are_not_keys(line: str) -> None:
    with pytest.raises(PublicKeyError):
        parse_public_key(line)


def test_base64_has_one_form() -> None:
    name, text, *_ = GOOD.split(" ")
    for other in (text.rstrip("=") + "====", text[:-1], text + "AAAA", text[:10] + "=" + text[10:]):
        with pytest.raises(PublicKeyError):
            parse_public_key(f"{name} {other}")
    # 74 bytes end in a character of which two bits mean nothing.
    blob = make.sk_ed25519(b"ssh:")
    text = base64.b64encode(blob).decode()
    loose = text.rstrip("=")
    changed = loose[:-1] + chr(ord(loose[-1]) + 1) + "=" * (len(text) - len(loose))
    assert base64.b64decode(changed) == blob
    with pytest.raises(PublicKeyError, match="usual form"):
        parse_public_key(f"sk-ssh-ed25519@openssh.com {changed}")


def test_spaces_and_tabs_around_the_parts() -> None:
    name, text, comment = GOOD.split(" ")
    assert parse_public_key(f"  {name}\t {text} \t {comment}  ").line == GOOD


def test_long_comments_are_refused() -> None:
    assert parse_public_key(make.line(make.ed25519(), "x" * 256)).comment == "x" * 256
    with pytest.raises(PublicKeyError, match="comment"):
        parse_public_key(make.line(make.ed25519(), "x" * 257))


def test_long_lines_are_refused() -> None:
    with pytest.raises(PublicKeyError, match="too long"):
        parse_public_key(GOOD + " " * 20_000)


def test_a_file_of_several_keys() -> None:
    lines = ["# mine", "", make.line(make.ed25519(1), "a"), make.line(make.rsa(), "b")]
    for newline in ("\n", "\r\n"):
        for end in ("", newline):
            keys = parse_public_keys((newline.join(lines) + end).encode())
            assert [key.comment for key in keys] == ["a", "b"]


def test_the_same_key_twice_in_a_file_is_one() -> None:
    data = f"{make.line(make.ed25519(), 'a')}\n{make.line(make.ed25519(), 'b')}\n".encode()
    assert [key.comment for key in parse_public_keys(data)] == ["a"]


def test_one_bad_line_spoils_a_file_and_is_named() -> None:
    data = f'{GOOD}\n\ncommand="sh" {GOOD}\n'.encode()
    with pytest.raises(PublicKeyError, match="line 3: options"):
        parse_public_keys(data)
    with pytest.raises(PublicKeyRefusedError, match="line 2: RSA"):
        parse_public_keys(f"{GOOD}\n{make.line(make.rsa(1024))}\n".encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"\n\n", b"# nothing\n", b"\xff\xfe", GOOD.encode() + b"\r\r\n", GOOD.encode() + b"\x0b"],
)
def test_files_without_keys(data: bytes) -> None:
    with pytest.raises(PublicKeyError):
        parse_public_keys(data)


def test_files_are_bounded() -> None:
    many = "\n".join(make.line(make.ed25519(number)) for number in range(FILE_KEYS + 1))
    with pytest.raises(PublicKeyError, match="too many"):
        parse_public_keys(many.encode())
    with pytest.raises(PublicKeyError, match="too large"):
        parse_public_keys(b"#" * (FILE_BYTES + 1))


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    with suppress(PublicKeyError, PublicKeyRefusedError):
        parse_public_keys(data)
    with suppress(PublicKeyError, PublicKeyRefusedError):
        check_blob("ssh-rsa", make.string(b"ssh-rsa") + data)


@given(st.text(max_size=60))
def test_what_is_taken_is_written_as_one_line(comment: str) -> None:
    try:
        key = parse_public_key(f"{make.line(make.ed25519())} {comment}")
    except PublicKeyError:
        return
    assert len(key.line.splitlines()) == 1
    assert parse_public_key(key.line) == key


def test_the_size_of_an_rsa_key() -> None:
    assert rsa_bits(make.rsa(3072)) == 3072
    assert rsa_bits(make.rsa(1024)) == 1024
    for blob in (make.ed25519(), make.ecdsa(), make.rsa()[:-1], b"", b"\0\0\0\7ssh-rsa"):
        assert rsa_bits(blob) is None
