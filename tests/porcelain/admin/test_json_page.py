"""What `admin` prints as JSON has the fields that docs/json.md names, and no others."""

from tests.msglog.account import keymaking as make
from tests.porcelain.admin.running import Home
from tests.porcelain.json_page import DOCUMENTED, check

SCENARIOS: list[tuple[list[str], str]] = [
    (["init"], "account"),
    (["user", "add", "bob", "--role", "append"], "new user"),
    (["user", "list"], "user"),
    (["user", "rename", "bob", "ben"], "renamed user"),
    (["user", "set-role", "ben", "read"], "changed role"),
    (["key", "add", "ann", "key.pub"], "new key"),
    (["key", "list"], "key"),
    (["key", "rotate", "ann", "new.pub"], "key in place of another"),
    (["key", "sync"], "key file"),
    (["grant", "ann", "read", "ops/*"], "grant"),
    (["user", "show", "ann"], "user in full"),
    (["revoke", "ann", "ops/*"], "grant"),
    (["key", "remove", "ann", "FINGERPRINT"], "removed key"),
    (["user", "remove", "ben"], "removed user"),
    (["doctor", "--sshd-config", "sshd_config"], "finding"),
    (["repository", "add", "ops"], "new repository"),
    (["repository", "list"], "repository of an account"),
    (["policy", "set", "*", "max-future=300", "enforce-author=on"], "policy"),
    (["policy", "list"], "policy"),
    (["policy", "unset", "*"], "policy"),
    (["gc"], "tidied repository"),
    (["gc", "--dry-run"], "tidied repository"),
    (["backup", "file"], "archive of an account"),
    (["restore", "file", "copy"], "restored account"),
    (["restore", "file", "--dry-run"], "restored account"),
    (["restore", "file", "--replace"], "restored account"),
    (["migrate", "moved"], "copied account"),
    (["audit"], "record"),
    (["metrics"], "metric"),
    (["set"], "settings of an account"),
    (["set", "gc.grace", "3 weeks"], "settings of an account"),
]


def command(words: list[str]) -> str:
    """Return the command without its options and arguments, as the page names it."""
    nested = words[0] in ("user", "key", "repository", "policy")
    return " ".join(["admin", *words[: 1 + nested]])


def test_what_is_printed_is_as_the_page_says(home: Home) -> None:
    home.public_key(1, comment="ann@laptop")
    home.public_key(2, "new.pub")
    (home.path / "sshd_config").write_text("HostKey none\nPermitUserEnvironment yes\n")
    home.do("user", "add", "ann", "--role", "write")
    for words, kind in SCENARIOS:
        given = [make.key(2).fingerprint if word == "FINGERPRINT" else word for word in words]
        result = home.admin(*given, "--json")
        assert (result.status, result.errors) == (1 if words[0] == "doctor" else 0, ""), words
        assert result.records, words
        for record in result.records:
            check(record, kind)


def test_findings_are_as_the_page_says(home: Home) -> None:
    home.do("user", "add", "ann")
    home.do("key", "add", "ann", home.public_key(1))
    home.key_file.write_text(home.key_file.read_text().replace("restrict,", ""))
    for words in ([], ["--fix", "--dry-run"], ["--fix"]):
        found = home.admin("key", "check", *words, "--json").records
        assert found
        for record in found:
            check(record, "finding")
            assert ("state" in record) is bool(words)


def test_each_command_of_the_page_is_tried() -> None:
    tried = {(command(words), kind) for words, kind in SCENARIOS} | {("admin key check", "finding")}
    assert tried == {(name, kind) for name, kind in DOCUMENTED if name.startswith("admin ")}
