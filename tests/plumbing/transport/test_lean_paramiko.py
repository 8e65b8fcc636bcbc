"""The short import of paramiko: that it is taken, that nothing is missing, and the long one."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SHORT = """
import gc, sys
assert gc.isenabled()
import plumbing.transport.ssh
from plumbing.transport.lean_paramiko import paramiko
absent = ("paramiko.client", "paramiko.hostkeys", "nacl", "bcrypt", "invoke", "traceback",
          "cryptography.hazmat.primitives.serialization.ssh")
assert not (found := [name for name in absent if name in sys.modules]), found
assert "__getattr__" in vars(paramiko), "the long way was taken"
assert gc.isenabled()
"""

COMPLETE = """
from importlib import metadata
import paramiko as again
assert again is paramiko
assert paramiko.SSHClient.__module__ == "paramiko.client"
assert paramiko.__version__ == metadata.version("paramiko")
assert paramiko.client.Transport is paramiko.Transport is paramiko.transport.Transport
assert paramiko.key_classes[1] is paramiko.Ed25519Key
assert not hasattr(paramiko, "no_such_thing")
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_ssh_public_key, ssh
assert serialization.load_ssh_private_key is ssh.load_ssh_private_key
assert load_ssh_public_key is ssh.load_ssh_public_key
assert not hasattr(serialization, "no_such_thing")
assert not [name for name in serialization.__all__ if not hasattr(serialization, name)]
import nacl.signing, nacl.exceptions, bcrypt, invoke, logging, traceback
assert nacl.signing.VerifyKey.__module__ == "nacl.signing"
assert bcrypt.kdf and invoke.run
assert logging.traceback.format_exc is traceback.format_exc
assert paramiko.pkey.bcrypt.kdf is bcrypt.kdf
"""

STARRED = """
from paramiko import *
assert SSHClient.__module__ == "paramiko.client"
"""

LONG = """
assert "__getattr__" not in vars(paramiko), "the short way was taken"
assert "paramiko.client" in sys.modules
import plumbing.transport.ssh
from cryptography.hazmat.primitives import serialization
serialization.load_ssh_private_key.__code__
assert paramiko.PKey.from_path
"""

AFTER_PARAMIKO = f"""
import sys, paramiko
before = dict(vars(paramiko))
import plumbing.transport.lean_paramiko
assert vars(paramiko) == before
{LONG}
"""

BROKEN = f"""
import sys
class Finder:
    broken = 0
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1] and not self.broken:
            self.broken += 1
            raise ImportError(name)
finder = Finder()
sys.meta_path.insert(0, finder)
from plumbing.transport.lean_paramiko import paramiko
assert finder.broken
{LONG}
"""

TAKEN = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "paramiko.kex_group16" and "taker" not in sys.modules:
            from cryptography.hazmat.primitives import serialization
            sys.modules["taker"] = type(sys)("taker")
            sys.modules["taker"].name = serialization.load_ssh_private_key
sys.meta_path.insert(0, Finder())
from plumbing.transport.lean_paramiko import paramiko
assert "__getattr__" in vars(paramiko)
from cryptography.hazmat.primitives.serialization import ssh
assert sys.modules["taker"].name is ssh.load_ssh_private_key
"""


def run(program: str, *words: str, text: str = "") -> None:
    arguments = [sys.executable, "-c", program, *words]
    done = subprocess.run(arguments, input=text, check=False, capture_output=True, text=True)
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("rest", ["", COMPLETE, STARRED])
def test_the_short_way_is_taken_and_whatever_is_asked_for_later_is_there(rest: str) -> None:
    run(SHORT + rest)


@pytest.mark.parametrize(
    "module",
    [
        "paramiko.transport",
        "paramiko.sftp_client",
        "cryptography.hazmat.primitives.asymmetric.ed25519",
    ],
)
def test_where_the_short_way_fails_the_long_one_is_taken(module: str) -> None:
    run(BROKEN, module)


def test_a_stranger_that_took_a_stand_in_is_given_the_real_thing() -> None:
    run(TAKEN)


def test_paramiko_that_is_there_already_is_left_alone() -> None:
    run(AFTER_PARAMIKO)


SIGNATURES = """
import sys
from plumbing.transport.lean_paramiko import paramiko
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
ours = paramiko.ed25519key.nacl
assert ours.signing.SigningKey is not SigningKey, "the long way was taken"
for line in sys.stdin:
    seed, message, position = line.split()
    seed, message, position = bytes.fromhex(seed), bytes.fromhex(message[1:]), int(position)
    mine, theirs = ours.signing.SigningKey(seed), SigningKey(seed)
    signature = theirs.sign(message).signature
    assert mine.sign(message).signature == signature
    public = theirs.verify_key.encode()
    assert mine.verify_key.encode() == public
    assert mine.verify_key == ours.signing.VerifyKey(public)
    assert hash(mine.verify_key) == hash(ours.signing.VerifyKey(public))
    ours.signing.VerifyKey(public).verify(message, signature)
    wrong = bytearray(signature)
    wrong[position // 8] ^= 1 << position % 8
    for verify, error in ((ours.signing.VerifyKey(public).verify, ours.exceptions.BadSignatureError),
                          (VerifyKey(public).verify, BadSignatureError)):
        try:
            verify(message, bytes(wrong))
        except error:
            continue
        raise AssertionError("a wrong signature was taken")
"""


@settings(max_examples=5)
@given(
    st.lists(
        st.tuples(st.binary(min_size=32, max_size=32), st.binary(), st.integers(0, 511)),
        min_size=20,
    )
)
def test_signatures_are_those_of_pynacl(samples: list[tuple[bytes, bytes, int]]) -> None:
    lines = (f"{seed.hex()} x{message.hex()} {bit}\n" for seed, message, bit in samples)
    run(SIGNATURES, text="".join(lines))
