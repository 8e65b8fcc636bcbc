"""`check-ref-format`: a yes or no for scripts."""

import pytest

from plumbing import check_ref_format
from tests.plumbing.running import run


@pytest.mark.parametrize(
    "name", ["main", "team/ops", "refs/logs/main", "refs/logs/a/b/c/d", "refs/remotes/Origin/main"]
)
def test_good_names(name: str) -> None:
    assert run(check_ref_format, None, name).status == 0


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Main",
        "a..b",
        "main\n",
        "refs/logs/",
        "refs/remotes/origin",
        "refs/remotes//x",
        "refs/logs/../x",
        "a b",
    ],
)
def test_bad_names(name: str) -> None:
    result = run(check_ref_format, None, name)
    assert (result.status, result.output) == (1, b"")
    assert run(check_ref_format, None, name, as_json=True).records == [
        {"name": name, "valid": False}
    ]
