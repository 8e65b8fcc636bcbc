import stat

from tests.porcelain.conftest import CommandLine


def test_here_there_and_for_the_user(empty: CommandLine) -> None:
    assert empty.ok("init") == f"Made a repository in {empty.folder}/.msglog\n"
    empty.ok("init", "new/place", "-q")
    empty.ok("init", "--user", "-q")
    home = empty.folder.parent / "home"
    for folder in (empty.folder, empty.folder / "new" / "place", home / ".local/share/msglog"):
        status = (folder / ".msglog").stat()
        assert stat.S_IMODE(status.st_mode) == 0o700
        assert empty.ok("-C", str(folder), "logs") == "main  0\n"


def test_saying_it_twice_is_harmless(cli: CommandLine) -> None:
    cli.ok("add", "kept")
    (first,) = cli.run("init", "--json").json()
    assert first["made"] is False
    assert first["path"] == str(cli.folder / ".msglog")
    assert cli.run("init", "--json").json() == [first]
    assert "already" in cli.ok("init")
    assert cli.ok("logs") == "main  1\n"


def test_each_repository_has_its_own_identity(empty: CommandLine) -> None:
    (a,), (b,) = (empty.run("init", name, "--json").json() for name in ("a", "b"))
    assert a["repository"] != b["repository"]
    assert len(a["repository"]) == 32


def test_where_the_environment_says(empty: CommandLine) -> None:
    named = {"MSGLOG_DIR": str(empty.folder / "named")}
    empty.ok("init", "-q", environment=named)
    assert (empty.folder / "named" / "store.db").exists()
    assert empty.ok("logs", environment=named) == "main  0\n"


def test_what_cannot_be_made(empty: CommandLine) -> None:
    (empty.folder / "file").write_text("")
    empty.fails(7, "init", "file")
    (empty.folder / ".msglog").mkdir()
    (empty.folder / ".msglog" / "store.db").write_text("not a store at all" * 100)
    empty.fails(7, "init")
    empty.fails(2, "init", "a", "--user")
