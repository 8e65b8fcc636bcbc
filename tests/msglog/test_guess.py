from pathlib import Path

from msglog.guess import advice, question

ROOT = Path(__file__).parents[2]


def test_what_is_like_a_known_name_is_asked_for() -> None:
    assert question("orgin", ["backup", "origin"]) == "Did you mean origin?"
    assert question("zzz", ["backup", "origin"]) == ""
    assert question("x", []) == ""


def test_small_and_capital_letters_are_alike() -> None:
    assert question("ORGIN", ["origin"]) == "Did you mean origin?"
    assert question("list", ["LIST"]) == "Did you mean LIST?"


def test_several_and_how_they_are_written() -> None:
    assert question("stat", ["stats", "status", "gc"], most=3) == "Did you mean stats or status?"
    assert question("autor", ["author"], shape="%({})") == "Did you mean %(author)?"
    assert question("autor", ["{}uthor"], shape="{}:", likeness=0.1) == "Did you mean {}uthor:?"


def test_advice_is_what_to_do_where_nothing_is_likely() -> None:
    assert advice("orgin", ["origin"], see="Look.") == "Did you mean origin?"
    assert advice("zzz", ["origin"], see="Look.") == "Look."
    assert advice("orgin", ["origin"], make="add it", see="") == "Did you mean origin? Else add it."
    assert advice("zzz", ["origin"], make="add it", see="") == "Add it."


def test_there_is_no_other_piece_of_code_for_it() -> None:
    """But for the words of an index, of which there are many."""
    found = [
        str(path.relative_to(ROOT))
        for layer in ("msglog", "plumbing", "porcelain")
        for path in (ROOT / layer).rglob("*.py")
        if "get_close_matches" in path.read_text()
    ]
    assert sorted(found) == ["msglog/guess.py", "msglog/search/suggestion.py"]
