"""`admin user`: what administrators type, and what they are told."""

import pytest

from tests.msglog.account import keymaking as make
from tests.porcelain.admin.running import Home


@pytest.fixture(params=["files", "postgres"])
def home(request: pytest.FixtureRequest, home: Home) -> Home:
    """An account of either kind."""
    if request.param == "postgres":
        home.keep_in(request.getfixturevalue("databases").fresh())
    return home


def test_users_come_and_go(home: Home) -> None:
    assert home.do("user", "add", "ann", "--role", "write").output == "Added ann (write)\n"
    home.do("user", "add", "bob")
    assert home.do("user", "list").output.splitlines() == [
        "ann              write   0 keys",
        "bob              none    0 keys",
    ]
    assert home.do("user", "set-role", "bob", "read").output == "bob: read (was none)\n"
    assert home.do("user", "remove", "bob").output == "Removed bob with 0 keys\n"
    (user,) = home.do("user", "list", "--json").records
    assert {name: user[name] for name in ("user", "role", "keys")} == {
        "user": "ann",
        "role": "write",
        "keys": 0,
    }
    assert user["created"].endswith("+00:00")


def test_everything_about_a_user(home: Home) -> None:
    home.do("user", "add", "ann", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1, comment="ann@laptop"))
    home.do("grant", "ann", "read", "ops/*")
    fingerprint = make.key(1).fingerprint
    lines = home.do("user", "show", "ann").output.splitlines()
    assert lines[:2] == ["user    ann", "role    write"]
    assert lines[3:] == [
        "grant   read main ops/*",
        f"key     {fingerprint} ssh-ed25519 ann@laptop",
    ]
    (shown,) = home.do("user", "show", "ann", "--json").records
    assert shown["grants"] == [{"repository": "main", "pattern": "ops/*", "role": "read"}]
    assert shown["keys"][0]["fingerprint"] == fingerprint


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["user", "add", "ann"], 2, "already"),
        (["user", "add", "-x"], 2, "unknown option"),
        (["user", "add", "--", "-x"], 2, "cannot be the name of a user"),
        (["user", "add", 'a"b'], 2, "cannot be the name of a user"),
        (["user", "add", "../x"], 2, "cannot be the name of a user"),
        (["user", "add", "$(id)"], 2, "cannot be the name of a user"),
        (["user", "add", ""], 2, "cannot be the name of a user"),
        (["user", "add", "x" * 300], 2, "cannot be the name of a user"),
        (["user", "add", "\u0430nn"], 2, "cannot be the name of a user"),
        (["user", "add", "a\nb"], 2, "cannot be the name of a user"),
        (["user", "add", "bob", "--role", "root"], 2, "no role"),
        (["user", "set-role", "ann", "root"], 2, "no role"),
        (["user", "set-role", "ann", "wirte"], 2, "Did you mean write?"),
        (["user", "show", "an"], 2, "there is no user 'an'. Did you mean ann?"),
        (["user", "add", "bob", "--rol", "read"], 2, "Did you mean --role?"),
        (["user", "add", "bob", "x"], 2, "See `msglog admin user add --help`."),
        (["set", "keys.fil"], 2, "Did you mean keys.file?"),
        (["gc", "mian"], 7, "`msglog admin repository list` shows all."),
        (["user", "set-role", "bob", "read"], 2, "no user"),
        (["user", "remove", "bob"], 2, "no user"),
        (["user", "show", "bob"], 2, "no user"),
        (["user", "rename", "ann", "ann"], 2, "already"),
        (["user", "rename", "ann", "../x"], 2, "cannot be the name of a user"),
        (["user"], 2, "ACTION"),
        (["user", "frobnicate"], 2, "frobnicate"),
        ([], 2, "ACTION"),
    ],
)
def test_what_is_refused(home: Home, words: list[str], status: int, said: str) -> None:
    home.do("user", "add", "ann")
    result = home.admin(*words)
    assert result.status == status
    assert said in result.errors
    assert result.errors.startswith("msglog: error: ")
    assert len(result.errors.splitlines()) == 1
    assert [user["user"] for user in home.do("user", "list", "--json").records] == ["ann"]


def test_the_last_admin_stays(home: Home) -> None:
    home.do("user", "add", "ann", "--role", "admin")
    for words in (["remove", "ann"], ["set-role", "ann", "write"]):
        result = home.admin("user", *words)
        assert result.status == 6
        assert "last administrator" in result.errors
    home.do("user", "add", "bob", "--role", "admin")
    home.do("user", "remove", "ann")


def test_a_removed_user_leaves_no_line(home: Home) -> None:
    for number, user in [(1, "ann"), (2, "bob"), (3, "ann")]:
        home.admin("user", "add", user, "--role", "write")
        home.do("key", "add", user, home.public_key(number))
    assert home.do("user", "remove", "ann").output == "Removed ann with 2 keys\n"
    text = home.key_file.read_text()
    assert "ann" not in text
    assert make.key(2).line in text
    home.do("key", "check")


def test_a_renamed_user_gets_other_lines(home: Home) -> None:
    home.do("user", "add", "ann", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1))
    home.do("user", "rename", "ann", "anna")
    assert "receive-pack anna " in home.key_file.read_text()
    home.do("key", "check")


def test_a_user_is_removed_even_where_the_file_cannot_be_written(home: Home) -> None:
    home.do("user", "add", "ann", "--role", "write")
    home.do("key", "add", "ann", home.public_key(1))
    damaged = home.key_file.read_text() + "# BEGIN msglog " + str(home.account)
    home.key_file.write_text(damaged + " (written by `msglog admin`; changes in here are lost)\n")
    before = home.key_file.read_bytes()
    result = home.admin("user", "remove", "ann")
    assert result.status == 7
    assert "the account is changed" in result.errors
    assert "admin key sync" in result.errors
    assert home.key_file.read_bytes() == before
    assert home.do("user", "list").output == ""
