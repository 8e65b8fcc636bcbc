from tests.porcelain.conftest import CommandLine


def test_a_message_in_full(cli: CommandLine) -> None:
    short = cli.ok("add", "hello\nworld", "--tag", "t", "--time", "@0").strip()
    (message,) = cli.run("show", "--json", short).json()
    assert cli.ok("show", short) == (
        f"message {message['id']}\nAuthor: ann\nTime:   1970-01-01 00:00:00 +0000\nTags:   t\n"
        f"Uuid:   {message['uuid']}\n\n    hello\n    world\n"
    )
    assert cli.ok("show", message["id"].upper()) == cli.ok("show", short)
    assert cli.ok("show", short, short).count("message ") == 2


def test_what_is_not_there_is_named_and_the_rest_is_shown(cli: CommandLine) -> None:
    short = cli.ok("add", "hello").strip()
    missing = next(
        digits for digits in ("00000000", "11111111") if not short.startswith(digits[:7])
    )
    result = cli.run("show", missing, short, "nonsense")
    assert result.status == 2
    assert "hello" in result.out
    assert result.error.count("msglog: error: ") == 2
    assert missing in result.error
    assert "'nonsense'" in result.error
    assert "there is no message" in cli.fails(1, "show", missing)
    cli.fails(2, "show")


def test_an_ambiguous_id_names_the_candidates(cli: CommandLine) -> None:
    ids: dict[str, str] = {}
    while True:
        (message,) = cli.run("add", "x", "--json").json()
        first = message["id"][:4]
        if first in ids:
            break
        ids[first] = message["id"]
        if len(ids) % 50 == 0:
            cli.ok("add", "--batch", "-q", stdin="x\n" * 500)
            for other in cli.run("list", "--json").json():
                ids.setdefault(other["id"][:4], other["id"])
    line = cli.fails(2, "show", first)
    assert ids[first][:8] in line
    assert message["id"][:8] in line
