"""Which key files take the short way: those of ssh-keygen that are plain Ed25519, no others."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbing.transport.key_file import is_plain_ed25519

PLAIN = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUxOQ==
-----END OPENSSH PRIVATE KEY-----
"""
"""The head of such a file alone."""


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("-t ed25519 -N", True),
        ("-t ecdsa -N", False),
        ("-t rsa -N", False),
        ("-t rsa -m PEM -N", False),
        ("-t ecdsa -m PKCS8 -N", False),
    ],
)
def test_what_ssh_keygen_makes(words: str, *, plain: bool, tmp_path: Path) -> None:
    path = tmp_path / "id"
    command = ["ssh-keygen", "-q", *words.split(), "", "-C", "x" * 5000, "-f", str(path)]
    subprocess.run(command, check=True)
    assert is_plain_ed25519(path) is plain
    assert not is_plain_ed25519(tmp_path / "id.pub")
    command = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "a passphrase", "-f", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert not is_plain_ed25519(path)


def test_a_key_with_a_certificate_takes_the_long_way(tmp_path: Path) -> None:
    path = tmp_path / "id"
    path.write_text(PLAIN)
    assert is_plain_ed25519(path)
    (tmp_path / "id-cert.pub").write_text("")
    assert not is_plain_ed25519(path)


def test_a_missing_file_is_the_callers_business(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        is_plain_ed25519(tmp_path / "id")


@given(st.integers(0, PLAIN.index("Q==") - 1), st.integers(1, 127))
def test_a_head_that_differs_anywhere_takes_the_long_way(
    tmp_path_factory: pytest.TempPathFactory, position: int, change: int
) -> None:
    path = tmp_path_factory.mktemp("key") / "id"
    text = bytearray(PLAIN.encode())
    text[position] ^= change
    path.write_bytes(text)
    white = text.split() == PLAIN.encode().split()  # white space instead of white space
    assert white or not is_plain_ed25519(path)
