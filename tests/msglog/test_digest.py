"""Digests are the same, whoever makes them."""

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.digest import digest, sha256_for

PROGRAM = """
import sys
from msglog.digest import digest
for number in range(int(sys.argv[1])):
    print(digest(b"%d" % number).hex())
print("hashlib" in sys.modules)
"""


@given(st.binary())
def test_a_digest_is_the_sha_256(data: bytes) -> None:
    expected = hashlib.sha256(data).digest()
    assert digest(data) == expected
    assert sha256_for(1)(data).digest() == expected
    assert sha256_for(1000)(data).digest() == expected


@pytest.mark.parametrize(("count", "loaded"), [(20, "False"), (200, "True")])
def test_openssl_is_loaded_for_many_only(count: int, loaded: str) -> None:
    words = [sys.executable, "-c", PROGRAM, str(count)]
    said = subprocess.run(words, capture_output=True, check=True, text=True).stdout.split()
    assert said[-1] == loaded
    assert said[:-1] == [hashlib.sha256(b"%d" % n).hexdigest() for n in range(count)]
