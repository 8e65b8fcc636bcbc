from msglog.config_change import change
from msglog.index.change import build, insert
from msglog.key import Key
from msglog.repository import Repository
from msglog.store.store import Commit, HeldBack, Ref, RefUpdate, Refusal
from tests.porcelain.conftest import CommandLine

PEER = "ab" * 16


def keys_of(repository: Repository) -> list[Key]:
    return list(repository.keys(repository.log("main").root))


def track(repository: Repository, name: str, keys: list[Key]) -> None:
    index = build(sorted(keys))
    update = RefUpdate(name, None, Ref(index.root, index.count))
    repository.store.commit(Commit(1, "fetch", nodes=index.nodes, refs=[update]))


def test_logs_without_remotes(cli: CommandLine) -> None:
    cli.ok("add", "x")
    cli.ok("logs", "new", "-q", "a/b")
    out = cli.ok("status")
    assert out.splitlines()[1:3] == ["a/b: 0 messages", "main: 1 message"]
    assert "msglog remote add" in out
    assert [line["log"] for line in cli.run("status", "--json").json()] == ["a/b", "main"]


def test_ahead_and_behind_and_held_back(cli: CommandLine) -> None:
    cli.ok("add", "--batch", "-q", stdin="one\ntwo\nthree\n")
    for name in ("equal", "never", "other"):
        cli.ok("remote", "add", name, f"server@{name}")
    change(cli.folder / ".msglog" / "config.toml", {"remote.other.repository": PEER})
    repository = Repository.open(cli.folder / ".msglog")
    keys = keys_of(repository)
    foreign = Key(bytes(40))
    track(repository, "refs/remotes/equal/main", keys)
    track(repository, "refs/remotes/other/main", [keys[0], foreign])
    track(repository, "refs/remotes/other/elsewhere", keys)
    refusal = Refusal(keys[1], "quota", "too \x1b much")
    held = HeldBack(f"repository:{PEER}", "main", refused=(refusal,))
    repository.store.commit(Commit(1, "", held_back=[held]))
    repository.close()
    (main, elsewhere) = cli.run("status", "--json").json()
    assert [(r["remote"], r["ahead"], r["behind"]) for r in main["remotes"]] == [
        ("equal", 0, 0),
        ("never", None, None),
        ("other", 2, 1),
    ]
    assert main["remotes"][2]["held_back"] == [
        {"id": keys[1][8:].hex(), "code": "quota", "why": "too \x1b much"}
    ]
    assert (elsewhere["log"], elsewhere["remotes"][0]["behind"]) == ("elsewhere", 3)
    assert cli.ok("status").splitlines()[1:] == [
        "main: 3 messages",
        "  equal: equal",
        "  never: never seen",
        "  other: 2 ahead, 1 behind, 1 held back",
        f"    held back {keys[1][8:].hex()[:7]}: too \\x1b much",
        "elsewhere: not here; 3 messages at other",
    ]
    assert "\x1b[" in cli.ok("status", "--color", "always")


def test_a_large_log_is_compared_by_what_differs(cli: CommandLine) -> None:
    cli.ok("add", "--batch", "-q", stdin="x\n" * 1000)
    cli.ok("remote", "add", "origin", "server@host")
    repository = Repository.open(cli.folder / ".msglog")
    keys = keys_of(repository)
    track(repository, "refs/remotes/origin/main", keys)
    cli.ok("add", "one more")
    index = insert(repository.store.read_nodes, repository.log("main").root, keys)
    assert index.root == repository.log("main").root
    repository.close()
    assert "  origin: 1 ahead, 0 behind" in cli.ok("status")
