"""Private keys as they lie in files: which are read, and what is said of the others."""

import base64
import subprocess
from pathlib import Path

import pytest

from plumbing.transport.authentication import _load_key, _remedy


def ecdsa(path: Path, bits: int) -> None:
    path.unlink(missing_ok=True)
    words = ["ssh-keygen", "-q", "-t", "ecdsa", "-b", str(bits), "-N", "", "-C", ""]
    subprocess.run([*words, "-f", str(path)], check=True)


def is_unpadded(path: Path) -> bool:
    """Return whether the private part of a file ends with its comment, an empty one."""
    return base64.b64decode(b"".join(path.read_bytes().split(b"\n")[1:-2]))[-4:] == bytes(4)


@pytest.mark.parametrize("unpadded", [True, False])
@pytest.mark.parametrize("bits", [256, 384])
def test_a_key_with_an_empty_comment_is_read_with_padding_and_without(
    tmp_path: Path, bits: int, *, unpadded: bool
) -> None:
    path = tmp_path / "key"
    ecdsa(path, bits)
    while is_unpadded(path) != unpadded:
        ecdsa(path, bits)
    notes: list[str] = []
    key = _load_key(path, notes, chosen=True)
    assert notes == []
    assert key is not None
    public = path.with_suffix(".pub").read_text().split()
    assert [key.get_name(), key.get_base64()] == public[:2]
    signature = key.sign_ssh_data(b"to be signed")
    signature.rewind()
    assert key.verify_ssh_sig(b"to be signed", signature)


def test_a_certificate_beside_an_unpadded_key_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "key"
    ecdsa(path, 256)
    while not is_unpadded(path):
        ecdsa(path, 256)
    words = ["ssh-keygen", "-q", "-s", str(path), "-I", "ann", "-n", "ann", f"{path}.pub"]
    subprocess.run(words, check=True)
    key = _load_key(path, [], chosen=True)
    assert key is not None
    assert key.public_blob.key_type == "ecdsa-sha2-nistp256-cert-v01@openssh.com"


@pytest.mark.parametrize("words", [["-t", "ed25519"], ["-t", "ecdsa"], ["-t", "rsa", "-b", "1024"]])
def test_a_key_with_a_passphrase_is_said_to_need_it(tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", *words, "-N", "secret", "-C", "", "-f", path], check=True)
    notes: list[str] = []
    assert _load_key(path, notes, chosen=True) is None
    assert notes == [f"{path}: it needs a passphrase"]


@pytest.mark.parametrize("data", [b"", b"no key", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_what_is_no_key_gets_a_note(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    path.chmod(0o600)
    notes: list[str] = []
    assert _load_key(path, notes, chosen=True) is None
    (note,) = notes
    assert note.startswith(f"{path}: ")


def test_a_key_that_others_may_read_is_to_be_closed_and_no_other_made(tmp_path: Path) -> None:
    path = tmp_path / "my key"
    ecdsa(path, 256)
    path.chmod(0o644)
    notes: list[str] = []
    assert _load_key(path, notes, chosen=True) is None
    hint = _remedy([], notes, ["publickey"], still_there=True)
    assert hint == f"Run `chmod 600 '{path}'`."
    assert "ssh-keygen" in _remedy([], [], ["publickey"], still_there=True)
    assert "key add" in _remedy(["other"], notes, ["publickey"], still_there=True)
