import fcntl
import os
import signal
import threading
from pathlib import Path

import pytest

from msglog.config import (
    CONFIG_BYTES_LIMIT,
    DATE_STYLES,
    Config,
    ConfigError,
    ConfigKeyError,
    Remote,
    load,
    read,
)
from msglog.config_change import ConfigBusyError, change, check_setting, split_key
from msglog.errors import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_no_file_is_no_settings(file: Path) -> None:
    assert load([(file, True)]) == Config(())
    assert read(file / "below") == {}
    assert load([(file, True)]).text("user.author") is None


def test_the_more_particular_file_wins(tmp_path: Path) -> None:
    near, far = tmp_path / "near.toml", tmp_path / "far.toml"
    near.write_text('[user]\nauthor = "near"\n')
    far.write_text('[user]\nauthor = "far"\n[ssh]\ntransport = "openssh"\n')
    config = load([(near, False), (far, True)])
    assert config.text("user.author") == "near"
    assert config.text("ssh.transport") == "openssh"
    assert list(config.entries()) == [
        ("ssh.transport", "openssh", str(far)),
        ("user.author", "near", str(near)),
    ]


@pytest.mark.parametrize("key", ["core.pager", "core.editor", "ssh.command"])
def test_commands_are_the_users_own(tmp_path: Path, key: str) -> None:
    near, far = tmp_path / "near.toml", tmp_path / "far.toml"
    near.write_text(f'{key} = "evil"\n')
    assert load([(near, False)]).text(key) is None
    assert list(load([(near, False)]).entries()) == []
    far.write_text(f'{key} = "good"\n')
    assert load([(near, False), (far, True)]).text(key) == "good"


def test_remotes(file: Path) -> None:
    change(file, {"remote.origin.url": "a@b", "remote.my.host.url": "c@d"})
    change(file, {"remote.my.host.repository": "ab" * 16, "remote.none.repository": "x"})
    assert load([(file, False)]).remotes() == {
        "my.host": Remote("my.host", "c@d", "ab" * 16),
        "origin": Remote("origin", "a@b", ""),
    }


def test_how_much_of_a_remote_is_shared(file: Path) -> None:
    change(file, {"remote.o.url": "a@b", "remote.o.since": "2026-01-01T00:00:00Z"})
    change(file, {"remote.o.logs": ["main", "lab/*"]})
    assert load([(file, False)]).remotes()["o"] == Remote(
        "o", "a@b", "", "2026-01-01T00:00:00Z", ("main", "lab/*")
    )
    assert 'logs = ["main", "lab/*"]' in file.read_text()
    change(file, {"remote.o.logs": "main"})  # one alone counts as a list
    assert load([(file, False)]).remotes()["o"].logs == ("main",)
    assert check_setting("remote.o.logs", "main, lab/*  x", trusted=False) == [
        "main",
        "lab/*",
        "x",
    ]


@pytest.mark.parametrize("value", ["5", "[5]", '["main", 5]', '["Main"]', '[["main"]]', "{a = 1}"])
def test_logs_that_are_none(file: Path, value: str) -> None:
    file.write_text(f'[remote.o]\nurl = "a@b"\nlogs = {value}\n')
    if value == "{a = 1}":
        assert load([(file, False)]).remotes()["o"].logs == ()
        return
    with pytest.raises(ConfigError, match=r"line 3: remote\.o\.logs cannot be used"):
        load([(file, False)]).remotes()


def test_comments_and_order_are_kept(file: Path) -> None:
    file.write_text('# mine\n[remote.b]\nurl = "x" # here\n\n[user]\nauthor = "ann"\n')
    change(file, {"user.author": "bob", "tool.a.b": 5, "remote.b.repository": "r"})
    text = file.read_text()
    assert text.startswith('# mine\n[remote.b]\nurl = "x" # here\n')
    assert read(file) == {
        "remote.b.url": "x",
        "remote.b.repository": "r",
        "user.author": "bob",
        "tool.a.b": 5,
    }
    change(file, {"remote.b.url": None, "remote.b.repository": None, "tool.a.b": None})
    assert read(file) == {"user.author": "bob"}


@pytest.mark.parametrize(
    "written",
    ['remote.o.url = "x"\n', '[remote]\no = { url = "x" }\n', '[remote."o"]\n"url" = "x"\n'],
)
def test_a_setting_is_changed_and_removed_however_it_is_written(file: Path, written: str) -> None:
    file.write_text(written)
    change(file, {"remote.o.url": "y"})
    assert read(file) == {"remote.o.url": "y"}
    change(file, {"remote.o.url": None})
    assert read(file) == {}


def test_a_new_file_is_private(file: Path) -> None:
    old = os.umask(0)
    try:
        change(file, {"user.author": "ann"})
    finally:
        os.umask(old)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[user]\nauthor = \n", "line 2"),
        (b"\n\xff\n", "line 2"),
        (b"x = 1\nx = 2\n", "line 2"),
        (b"a = " + b"[" * 5000, ""),
        (b"a = " + b"1" * 5000, "digits"),
        (b"#" * (CONFIG_BYTES_LIMIT + 1), "bytes"),
    ],
)
def test_what_is_not_toml_is_named_and_left_alone(file: Path, data: bytes, why: str) -> None:
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read(file)
    assert str(file) in str(caught.value)
    assert why in str(caught.value)
    with pytest.raises(ConfigError):
        change(file, {"user.author": "ann"})
    assert file.read_bytes() == data


def test_what_is_no_file_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    writer = os.open(file, os.O_RDWR)
    with pytest.raises(ConfigError):
        read(file)
    os.close(writer)
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError):
        read(file)


def test_a_value_of_the_wrong_kind_is_named_with_its_line(file: Path) -> None:
    file.write_text('[user]\n\nauthor = 5\n[ssh]\ntransport = "pigeon"\n')
    config = load([(file, True)])
    with pytest.raises(ConfigError, match="line 3: user"):
        config.text("user.author")
    with pytest.raises(ConfigError, match="line 5: ssh"):
        config.text("ssh.transport")


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("user.author", ("user", "author")),
        ("remote.my.host.url", ("remote", "my.host", "url")),
        ("tool.a.b.c", ("tool", "a", "b", "c")),
    ],
)
def test_keys(key: str, parts: tuple[str, ...]) -> None:
    assert split_key(key) == parts


@pytest.mark.parametrize(
    "key", ["", ".", "user", "user.", ".x", "a b.c", "a\n.b", "remote.-x.url", "remote..url", "é.x"]
)
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(UsageError):
        split_key(key)


def test_what_can_be_set() -> None:
    assert check_setting("user.author", "ann", trusted=False) == "ann"
    assert check_setting("core.pager", "less -S", trusted=True) == "less -S"
    assert check_setting("remote.o.url", "a@b", trusted=False) == "a@b"
    for text, value in (("true", True), ("-5", -5), ("1.5", 1.5), ("1e5", "1e5"), ("007", "007")):
        assert check_setting("tool.x.y", text, trusted=False) == value
    for key, text in (
        ("user.other", "x"),
        ("remote.o.other", "x"),
        ("tool.x", "x"),
        ("ssh.transport", "x"),
        ("user.author", ""),
        ("user.author", "\x1b"),
        ("user.author", "é" * 129),
        ("add.tags", f"lab {'x' * 129}"),
        ("list.date", "lcoal"),
        ("list.date", "format"),
        ("remote.o.repository", "00ff"),
        ("remote.o.repository", "AB" * 16),
        ("core.pager", "x"),
    ):
        with pytest.raises(ConfigKeyError):
            check_setting(key, text, trusted=False)


def test_commands_that_can_be_set() -> None:
    for text in ("less -S", "sh -c 'less -R'", "/usr/bin/most"):
        assert check_setting("core.editor", text, trusted=True) == text
    for key in ("core.pager", "core.editor", "ssh.command"):
        with pytest.raises(ConfigKeyError, match="no closing quotation"):
            check_setting(key, "less '-S", trusted=True)
        with pytest.raises(ConfigKeyError, match="it is empty"):
            check_setting(key, "  ", trusted=True)


def test_styles_of_dates_that_can_be_set(file: Path) -> None:
    for style in (*DATE_STYLES, "format:%d.%m.%y %H:%M"):
        assert check_setting("list.date", style, trusted=False) == style
    with pytest.raises(ConfigKeyError, match=r"it must be local, .* or begin with format:"):
        check_setting("list.date", "lcoal", trusted=False)
    file.write_text('[list]\ndate = "lcoal"\n')
    with pytest.raises(ConfigError, match=f"{file}, line 2: list.date cannot be used"):
        load([(file, True)]).text("list.date")


def test_concurrent_changes_all_count(file: Path) -> None:
    def write(number: int) -> None:
        change(file, {f"tool.t{number}.x": number})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(file) == {f"tool.t{number}.x": number for number in range(8)}


def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new(file: Path) -> None:
    change(file, {"user.author": "old", "tool.pad.x": "y" * 50_000})
    for _ in range(5):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write_end, b"x")
            while True:
                change(file, {"user.author": "new"})
        os.read(read_end, 1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read_end)
        os.close(write_end)
        assert read(file)["user.author"] in ("old", "new")
        change(file, {"user.author": "old"})


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises((ConfigError, OSError)):
        change(blocked / "config.toml", {"user.author": "x"})


def test_what_a_killed_writer_left_is_removed(file: Path) -> None:
    for left in (".config.toml.12", ".config.toml.34567"):
        (file.parent / left).write_text("half")
    for kept in (".config.toml.x", ".other.toml.12"):
        (file.parent / kept).write_text("of somebody else")
    change(file, {"user.author": "ann"})
    assert {path.name for path in file.parent.iterdir()} == {
        "config.toml",
        ".config.toml.x",
        ".other.toml.12",
    }


def test_a_writer_that_hangs_is_not_waited_for_for_ever(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(file, {"user.author": "ann"})
    monkeypatch.setattr("msglog.folder.LOCK_SECONDS", 0)
    descriptor = os.open(file.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(ConfigBusyError, match=r"another process is changing it\)\. Try") as caught:
        change(file, {"user.author": "bob"})
    assert (caught.value.exit_status, caught.value.temporary) == (7, True)
    os.close(descriptor)
    assert read(file) == {"user.author": "ann"}
    change(file, {"user.author": "bob"})
