"""Metrics as Prometheus reads them: what is written is read again by a strict reader of our own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.exposition import COUNTER, GAUGE, HISTOGRAM, Family, Sample, expose, histogram
from tests.exposition import parse

TEXT = st.text(st.sampled_from('ab\\"\n{},=# é\u2028'), max_size=8)


def test_a_text_is_what_it_should_be() -> None:
    text = expose(
        [
            Family(
                "m_pushes_total",
                COUNTER,
                'Pushes,\nby \\ and "kind".',
                (Sample(3, (("log", 'a\\b"c\nd'), ("kind", ""))), Sample(4)),
            ),
            Family("m_none", GAUGE, "Nothing.", ()),
            Family("m_age_seconds", GAUGE, "Age.", (Sample(0.25),)),
            Family(
                "m_time_seconds",
                HISTOGRAM,
                "Time.",
                tuple(histogram((("a", "b"),), (0.5, 1.0), (2, 0, 1), 7.25)),
            ),
        ]
    )
    assert text == (
        '# HELP m_pushes_total Pushes,\\nby \\\\ and "kind".\n'
        "# TYPE m_pushes_total counter\n"
        'm_pushes_total{log="a\\\\b\\"c\\nd",kind=""} 3\n'
        "m_pushes_total 4\n"
        "# HELP m_age_seconds Age.\n"
        "# TYPE m_age_seconds gauge\n"
        "m_age_seconds 0.25\n"
        "# HELP m_time_seconds Time.\n"
        "# TYPE m_time_seconds histogram\n"
        'm_time_seconds_bucket{a="b",le="0.5"} 2\n'
        'm_time_seconds_bucket{a="b",le="1.0"} 2\n'
        'm_time_seconds_bucket{a="b",le="+Inf"} 3\n'
        'm_time_seconds_sum{a="b"} 7.25\n'
        'm_time_seconds_count{a="b"} 3\n'
    )
    assert expose([]) == ""


@settings(max_examples=50)
@given(st.dictionaries(st.tuples(TEXT, TEXT), st.integers(0, 2**62) | st.floats(0, 1e300)), TEXT)
def test_what_is_written_is_read_again(values: dict[tuple[str, str], float], meaning: str) -> None:
    samples = [
        Sample(value, tuple(zip("xy", names, strict=True))) for names, value in values.items()
    ]
    found = parse(expose([Family("m_values", GAUGE, meaning, tuple(samples))]))
    if not values:
        assert found == {}
        return
    assert found["m_values"].meaning == meaning
    assert found["m_values"].samples == {
        ("m_values", tuple(zip("xy", names, strict=True))): float(value)
        for names, value in values.items()
    }


@pytest.mark.parametrize(
    "text",
    [
        "m 1\n",
        "# HELP m x\n# TYPE m gauge\nm 1",
        "# HELP m x\n# TYPE m gauge\nm 1\n\n",
        "# HELP m x\n# TYPE m gauge\nm 1\nm 2\n",
        "# HELP m x\n# TYPE m gauge\n",
        "# HELP m x\n# TYPE m counter\nm 1\n",
        "# HELP m x\n# TYPE m gauge\nn 1\n",
        '# HELP m x\n# TYPE m gauge\nm{a="\\x"} 1\n',
        '# HELP m x\n# TYPE m gauge\nm{a="1",a="2"} 1\n',
        "# HELP m x\n# TYPE m gauge\nm one\n",
        "# HELP m x\n# TYPE n gauge\nm 1\n",
    ],
)
def test_the_reader_is_strict(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse(text)
