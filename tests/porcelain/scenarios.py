"""A repository that has all that can be printed, and a command line of each command in order."""

from msglog.encoding import encode
from msglog.key import SECOND, make_key
from msglog.objectid import object_id
from msglog.repository import Insertion, Repository
from msglog.store.store import HeldBack, Receipt, Refusal
from tests.porcelain.conftest import CommandLine


def fill(cli: CommandLine) -> str:
    """Make all that can be printed; return the id of a message that has everything."""
    message = encode(
        {
            "type": "message", "uuid": bytes(16), "time": -(1 << 60), "offset": -90,
            "author": "bob", "body": "x\x1b\u2028", "tags": ["a", "b"], "meta": {"k": 1.5},
            "reply_to": bytes(32),
        }
    )  # fmt: skip
    newer = encode({"type": "vote", "uuid": bytes(16), "time": 5, "choice": "yes"})
    cli.ok("-C", "..", "init", "-q", "other")
    cli.ok("remote", "add", "origin", "../other")
    cli.ok("remote", "add", "silent", "host:")
    cli.ok("add", "-q", "seen")
    cli.ok("push", "-q", "origin")
    identity = cli.ok("config", "get", "remote.origin.repository").strip()
    cli.ok("config", "set", "user.author", "ann")
    cli.ok("config", "set", "tool.test.number", "5")
    cli.ok("config", "set", "tool.test.truth", "true")
    cli.ok("config", "set", "add.tags", "a b")
    keys = [make_key(-(1 << 60), object_id(message)), make_key(5, object_id(newer))]
    refusal = Refusal(keys[0], "too-large", "it is too large")
    repository = Repository.open(cli.folder / ".msglog")
    repository.commit(
        [Insertion("refs/logs/main", keys), Insertion("refs/remotes/origin/theirs", keys)],
        messages=dict(zip(keys, (message, newer), strict=True)),
        time=1,
        reason="pull",
        receipt=Receipt("origin", 1_000 * SECOND, "main", "SHA256:abc"),
        held_back=[HeldBack(f"repository:{identity}", "main", (refusal,))],
    )
    repository.close()
    (cli.folder.parent / "message").write_bytes(message)
    return object_id(message).hex()


SCENARIOS: list[tuple[list[str], str, str]] = [
    (["add", "x", "--tag", "t"], "add", "message"),
    (["list"], "list", "message"),
    (["log"], "log", "message"),
    (["cat-object", "-p", "ID"], "cat-object -p", "message"),
    (["show", "ID"], "show", "message in its place"),
    (["search", "seen"], "search", "found message"),
    (["stats"], "stats", "count"),
    (["init"], "init", "repository"),
    (["init", "another"], "init", "repository"),
    (["logs"], "logs", "log"),
    (["logs", "new", "a"], "logs new", "log"),
    (["config", "list"], "config list", "setting"),
    (["config", "get", "user.author"], "config get", "setting"),
    (["diff-index", "main", "origin/main"], "diff-index", "difference"),
    (["status"], "status", "state of a log"),
    ([], "msglog", "state of a log"),
    (["remote"], "remote", "remote"),
    (["remote", "get-url", "silent"], "remote get-url", "remote"),
    (["remote", "show", "origin"], "remote show", "remote with its logs"),
    (["for-each-ref"], "for-each-ref", "ref"),
    (["ls-remote", "origin"], "ls-remote", "ref"),
    (["push", "origin", "--dry-run"], "push --dry-run", "forecast"),
    (["pull", "origin", "--dry-run"], "pull --dry-run", "forecast"),
    (["fetch", "origin", "--dry-run"], "fetch --dry-run", "forecast"),
    (["sync", "origin", "--dry-run"], "sync --dry-run", "forecast"),
    (["push", "origin", "main"], "push", "pushed"),
    (["sync", "origin", "main"], "sync", "pulled"),
    (["sync", "origin", "main"], "sync", "pushed"),
    (["pull", "origin"], "pull", "pulled"),
    (["clone", "../other", "copy"], "clone", "pulled"),
    (["fetch", "origin"], "fetch", "fetched"),
    (["fetch-pack", "origin"], "fetch-pack", "transfer"),
    (["send-pack", "origin"], "send-pack", "transfer"),
    (["gc"], "gc", "tidied"),
    (["gc", "--dry-run"], "gc --dry-run", "what would be tidied"),
    (["verify"], "verify", "verified"),
    (["backup", "file"], "backup", "archive"),
    (["export"], "export", "exported message"),
    (["export", "-o", "lines"], "export", "exported file"),
    (["import", "lines"], "import", "imported"),
    (["cat-object", "-t", "ID"], "cat-object -t", "stored object"),
    (["cat-object", "-s", "ID"], "cat-object -s", "stored object"),
    (["cat-object", "-p", "main"], "cat-object -p", "node"),
    (["hash-object", "-w", "../message"], "hash-object", "hashed"),
    (["rev-parse", "main", "ID"], "rev-parse", "meaning of a name"),
    (["ls-index"], "ls-index", "part of an index"),
    (["check-ref-format", "main"], "check-ref-format", "name"),
    (["logs", "rename", "main", "b"], "logs rename", "log"),
    (["logs", "delete", "b", "--force"], "logs delete", "log"),
    (["drop", "--yes"], "drop", "dropped"),
]
