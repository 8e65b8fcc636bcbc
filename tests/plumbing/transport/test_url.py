"""Remote URLs: git's forms, and nothing that a shell, an option parser or a path could abuse."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.errors import UsageError
from plumbing.transport.url import RemoteUrl, UrlError, parse_url, receive_pack_command

repository_names = st.from_regex(
    r"[a-z0-9][a-z0-9._-]{0,63}(/[a-z0-9][a-z0-9._-]{0,63}){0,3}", fullmatch=True
)
hosts = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", fullmatch=True)
users = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,30}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server", RemoteUrl("ssh", host="server")),
        ("ann@host", RemoteUrl("ssh", "ann", "host")),
        ("ann@host:", RemoteUrl("ssh", "ann", "host")),
        ("ann@host:team/ops", RemoteUrl("ssh", "ann", "host", path="team/ops")),
        ("ann@host:team/ops/", RemoteUrl("ssh", "ann", "host", path="team/ops")),
        ("host:2222", RemoteUrl("ssh", host="host", path="2222")),
        ("ann@corp.example@host", RemoteUrl("ssh", "ann@corp.example", "host")),
        ("ann@host:/srv/log", RemoteUrl("ssh", "ann", "host", path="/srv/log")),
        ("ann@host:~/log", RemoteUrl("ssh", "ann", "host", path="~/log")),
        ("ann@[::1]:ops", RemoteUrl("ssh", "ann", "::1", path="ops")),
        ("[fe80::1]", RemoteUrl("ssh", host="fe80::1")),
        ("192.0.2.1", RemoteUrl("ssh", host="192.0.2.1")),
        ("ssh://host", RemoteUrl("ssh", host="host")),
        ("ssh://host/", RemoteUrl("ssh", host="host")),
        ("SSH://ann@host:2222/ops", RemoteUrl("ssh", "ann", "host", 2222, "ops")),
        ("ssh://ann@[::1]:22/ops", RemoteUrl("ssh", "ann", "::1", 22, "ops")),
        ("ssh://[::1]", RemoteUrl("ssh", host="::1")),
        ("ssh://host//srv/log", RemoteUrl("ssh", host="host", path="/srv/log")),
        ("ssh://host/~/log", RemoteUrl("ssh", host="host", path="~/log")),
        ("/srv/log", RemoteUrl("local", path="/srv/log")),
        (".", RemoteUrl("local", path=".")),
        ("..", RemoteUrl("local", path="..")),
        ("../other; log", RemoteUrl("local", path="../other; log")),
        ("logs/mine", RemoteUrl("local", path="logs/mine")),
        ("./a:b", RemoteUrl("local", path="./a:b")),
        ("a/b:c", RemoteUrl("local", path="a/b:c")),
        ("~/log", RemoteUrl("local", path="~/log")),
        ("file:///srv/log", RemoteUrl("local", path="/srv/log")),
        ("file://localhost/srv/log", RemoteUrl("local", path="/srv/log")),
    ],
)
def test_forms_that_are_taken(text: str, expected: RemoteUrl) -> None:
    assert parse_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=x@host",
        "-x",
        "-x/y",
        "--help",
        "ann@-oProxyCommand=x",
        "-ann@host",
        "ssh://-oProxyCommand=x/",
        "ssh://-l@host",
        "ssh://ann@-host",
        "host;id",
        "host:ops;id",
        "ann;id@host",
        "host:$(id)",
        "host:`id`",
        "host:ops\n",
        "host\n",
        "\nhost",
        "host\x00",
        "/srv/log\x00",
        "/srv/log\n",
        "file:///srv/\x1b[31m",
        "host\u2028",
        "host:ops\x85",
        "%h",
        "host%h",
        "host:%h",
        "ann%r@host",
        "ssh://host%2F/ops",
        "host:..",
        "host:../ops",
        "host:ops/../../etc",
        "host:/srv/../etc",
        "host:~/../ann",
        "ssh://host/../etc",
        "host:ops//team",
        "host:a/b/c/d/e",
        "host:.hidden",
        "host:-ops",
        "host:Ops",
        "host:ops log",
        "host:~ann/log",
        "host:/srv/my log",
        "host:/srv/log'",
        "host:" + "a" * 65,
        "h\u00f6st",
        "h\u043est",
        "ho st",
        "_host",
        "@host",
        "ann@",
        "ann@@",
        "ssh://",
        "ssh:///ops",
        "ssh://ann@/ops",
        "ssh://host:/ops",
        "ssh://host:0/ops",
        "ssh://host:65536/ops",
        "ssh://host:+22/ops",
        "ssh://host:2_2/ops",
        "ssh://host:\u0662\u0662/ops",
        "ssh://host:22:22/ops",
        "ssh://ann:secret@host/ops",
        "ann:secret@host",
        "[::1",
        "[::1]x",
        "[]",
        "[fe80::1%eth0]",
        "ssh://[::1]22/",
        "http://host/ops",
        "git://host/ops",
        "ext::sh -c id",
        "file://host/srv",
        "file://",
        "file://srv",
        "x" * 5000,
    ],
)
def test_forms_that_are_refused(text: str) -> None:
    with pytest.raises(UrlError) as caught:
        parse_url(text)
    assert isinstance(caught.value, UsageError)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_password_is_not_repeated_in_the_error() -> None:
    with pytest.raises(UrlError) as caught:
        parse_url("ssh://ann:secret@host/ops")
    assert "secret" not in str(caught.value)


@given(
    user=st.just("") | users,
    host=hosts,
    port=st.none() | st.integers(1, 65535),
    path=st.just("") | repository_names | st.sampled_from(["/srv/log", "~/log", "/"]),
)
def test_a_remote_prints_as_a_text_that_parses_to_it(
    user: str, host: str, port: int | None, path: str
) -> None:
    url = RemoteUrl("ssh", user, host, port, path)
    assert parse_url(str(url)) == url


@given(st.text(max_size=60) | st.text(alphabet="ab:/@[].-~%;\n 0", max_size=20))
def test_any_text_is_taken_or_refused_and_never_yields_an_option(text: str) -> None:
    try:
        url = parse_url(text)
    except UrlError:
        return
    assert not url.host.startswith("-")
    assert not url.user.startswith("-")
    if url.kind == "ssh":
        assert url.host
        assert ".." not in url.path.split("/")
        assert url.path.isascii()
        words = shlex.split(receive_pack_command(url))
        assert words[:2] == ["msglog", "receive-pack"]
        assert len(words) == 2 + bool(url.path) + url.direct
        assert not words[-1].startswith("-")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("host", "msglog receive-pack"),
        ("host:team/ops", "msglog receive-pack team/ops"),
        ("host:/srv/log", "msglog receive-pack --direct /srv/log"),
        ("host:~/log", "msglog receive-pack --direct ./log"),
        ("host:~", "msglog receive-pack --direct ."),
    ],
)
def test_the_command_for_the_remote(text: str, command: str) -> None:
    assert receive_pack_command(parse_url(text)) == command
    token = "main=" + "0" * 64
    assert receive_pack_command(parse_url(text), [token]) == f"{command} {token}"


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("host:ops", "host"),
        ("ann@host", "ann@host"),
        ("ssh://ann@[::1]:22/", "ann@[::1]:22"),
    ],
)
def test_the_destination_for_people(text: str, destination: str) -> None:
    assert parse_url(text).destination == destination
