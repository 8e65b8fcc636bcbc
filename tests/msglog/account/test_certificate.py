"""Certificates as ssh-keygen makes them, and what is none."""

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.account.certificate import TEXT_CHARACTERS, CertificateError, parse_certificate
from tests.msglog.account import keymaking as make

ED25519 = b"ssh-ed25519-cert-v01@openssh.com"


def run(*words: str, folder: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("authority")
    run("-t", "ed25519", "-N", "", "-f", "authority", folder=made)
    return made


@pytest.mark.parametrize(
    "kind",
    [
        ("ed25519",),
        ("rsa", "-b", "3072"),
        ("ecdsa", "-b", "256"),
        ("ecdsa", "-b", "384"),
        ("ecdsa", "-b", "521"),
    ],
)
def test_certificates_of_all_types_name_their_principals(folder: Path, kind: list[str]) -> None:
    name = "".join(kind)
    run("-t", *kind, "-N", "", "-f", name, folder=folder)
    signed = ("-s", "authority", "-I", "ann@laptop", "-n", "ann,bob", "-z", "7")
    run(*signed, f"{name}.pub", folder=folder)
    found = parse_certificate((folder / f"{name}-cert.pub").read_text().split()[1])
    assert found.principals == ("ann", "bob")
    assert (found.serial, found.identity) == (7, "ann@laptop")


def certificate(
    *principals: bytes,
    kind: bytes = ED25519,
    key: tuple[bytes, ...] = (bytes(32),),
    use: int = 1,
) -> bytes:
    """The beginning of a certificate, as far as it is read."""
    parts = [kind, b"nonce", *key]
    names = b"".join(make.string(principal) for principal in principals)
    numbers = (7).to_bytes(8, "big") + use.to_bytes(4, "big")
    return (
        b"".join(make.string(part) for part in parts)
        + numbers
        + make.string(b"identity")
        + make.string(names)
    )


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("kind", "strings"),
    [
        (b"sk-ssh-ed25519-cert-v01@openssh.com", 2),
        (b"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 3),
    ],
)
def test_certificates_of_security_keys(kind: bytes, strings: int) -> None:
    data = certificate(b"ann", kind=kind, key=(b"part",) * strings)
    assert parse_certificate(text(data)).principals == ("ann",)


def test_a_certificate_may_name_nobody() -> None:
    assert parse_certificate(text(certificate())).principals == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        make.ed25519(),
        certificate(b"ann", use=2),
        certificate(b"ann", use=0),
        certificate(b"ann", kind=b"ssh-dss-cert-v01@openssh.com"),
        certificate(b"ann")[:-1],
        certificate()[:-4] + make.string(b"\0\0\0\7ann"),
        make.string(ED25519) + b"\xff" * 40,
    ],
)
def test_what_is_no_certificate_of_a_user_is_refused(data: bytes) -> None:
    with pytest.raises(CertificateError):
        parse_certificate(text(data))


@pytest.mark.parametrize("given_text", ["*", "AAAA AAAA", "é", "A", "A" * (TEXT_CHARACTERS + 1)])
def test_what_is_not_base64_is_refused(given_text: str) -> None:
    with pytest.raises(CertificateError):
        parse_certificate(given_text)


def test_one_that_is_longer_than_any_is_refused() -> None:
    most = text(certificate(*[bytes(250)] * 180))
    assert len(parse_certificate(most).principals) == 180
    with pytest.raises(CertificateError, match="too long"):
        parse_certificate(text(certificate(*[bytes(250)] * 200)))


@given(st.integers(0, len(certificate(b"ann", b"bob")) - 1))
def test_one_that_is_cut_is_refused(size: int) -> None:
    with pytest.raises(CertificateError):
        parse_certificate(text(certificate(b"ann", b"bob")[:size]))


@given(st.binary(max_size=200))
def test_anything_is_a_certificate_or_refused(rest: bytes) -> None:
    try:
        found = parse_certificate(text(make.string(ED25519) + rest))
    except CertificateError:
        return
    assert all(isinstance(name, str) for name in found.principals)
