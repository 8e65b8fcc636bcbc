"""Object ids and the texts that people write for them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.objectid import (
    DamagedObjectError,
    ObjectId,
    ObjectIdError,
    object_id,
    parse_abbreviation,
    parse_object_id,
)

DIGITS = "0123456789abcdef" * 4


@given(st.binary(max_size=200))
def test_an_id_is_the_digest_and_its_hex_reads_back(data: bytes) -> None:
    assert object_id(data) == hashlib.sha256(data).digest()
    assert parse_object_id(object_id(data).hex()) == object_id(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        DIGITS[:-1],
        DIGITS + "0",
        DIGITS.upper(),
        DIGITS + "\n",
        " " + DIGITS[1:],
        "٣" * 64,
        "g" * 64,
        "0x" + DIGITS[2:],
    ],
)
def test_a_full_id_is_64_lower_case_digits_and_nothing_else(text: str) -> None:
    with pytest.raises(ObjectIdError) as caught:
        parse_object_id(text)
    assert caught.value.exit_status == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["abcd", "ABCD", DIGITS, "AbCdEf0"])
def test_an_abbreviation_has_4_to_64_digits_of_either_case(text: str) -> None:
    assert parse_abbreviation(text) == text.lower()


@pytest.mark.parametrize(
    "text", ["", "abc", DIGITS + "0", "abcd\n", "abcg", "-abc", "٣٣٣٣", "\x1b[31m"]
)
def test_what_is_no_abbreviation_is_refused_on_one_clean_line(text: str) -> None:
    with pytest.raises(ObjectIdError) as caught:
        parse_abbreviation(text)
    assert str(caught.value).isprintable()


def test_a_very_long_text_does_not_fill_the_error() -> None:
    with pytest.raises(ObjectIdError) as caught:
        parse_abbreviation("z" * 100_000)
    assert len(str(caught.value)) < 200


def test_a_damaged_object_is_named() -> None:
    oid = ObjectId(bytes(32))
    error = DamagedObjectError(oid, where="in the store")
    assert (error.oid, error.exit_status) == (oid, 5)
    assert oid.hex() in str(error)
