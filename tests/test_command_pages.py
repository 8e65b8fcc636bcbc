"""Pages of commands cannot drift: each option of these commands is on its page, and no other."""

import argparse
import re
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "commands"
COMMANDS = {
    "backup": "porcelain.backup",
    "cat-object": "plumbing.cat_object",
    "check-ref-format": "plumbing.check_ref_format",
    "diff-index": "plumbing.diff_index",
    "export": "porcelain.export",
    "for-each-ref": "plumbing.for_each_ref",
    "hash-object": "plumbing.hash_object",
    "import": "porcelain.import_log",
    "ls-index": "plumbing.ls_index",
    "restore": "porcelain.restore",
    "rev-parse": "plumbing.rev_parse",
    "search": "porcelain.search",
    "verify": "porcelain.verify",
}
EVERYWHERE = {"--json", "-q", "-v", "-C"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_the_options_of_its_command(name: str) -> None:
    module = import_module(COMMANDS[name])
    parser = argparse.ArgumentParser(add_help=False)
    module.configure(parser)
    options = {text for action in parser._actions for text in action.option_strings}
    page = (FOLDER / f"{name}.md").read_text()
    assert page.startswith(f"# msglog {name}\n\n    msglog {name}")
    synopsis = page.split("\n\n")[1]
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", synopsis)) == options
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    mentioned = {word for text in re.findall(r"`([^`]+)`", prose) for word in text.split()}
    foreign = {word for word in mentioned if re.fullmatch(r"--?[a-z][a-z-]*", word)} - options
    assert foreign <= EVERYWHERE
    assert "Exit status" in page
    assert (module.__doc__ or "").startswith(f"`{name}`: ")
