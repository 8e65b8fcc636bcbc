"""A strict reader of the text format of Prometheus, version 0.0.4, for tests.

Stricter than Prometheus: HELP and TYPE come first and once, samples of a family stand together and
are there once, only a histogram's samples have suffixes, and each line ends in one newline.
"""

import re
from dataclasses import dataclass, field

NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([^ ]+)")
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|[+-]Inf|NaN")

Labels = tuple[tuple[str, str], ...]


@dataclass
class Read:
    """A family that was read: its samples by name and labels."""

    kind: str
    meaning: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def parse(text: str) -> dict[str, Read]:
    """Return the families by name; raises ValueError."""
    found: dict[str, Read] = {}
    if not text:
        return found
    if not text.endswith("\n") or text.endswith("\n\n"):
        raise ValueError("not one newline at the end")
    lines = iter(text[:-1].split("\n"))
    name = ""
    for line in lines:
        if line.startswith("# HELP "):
            _, _, name, meaning = line.split(" ", 3)
            _, hash_type, again, kind = next(lines).split(" ")
            if (hash_type, again) != ("TYPE", name) or name in found:
                raise ValueError(f"HELP and TYPE of {name} do not stand together, once")
            if kind not in ("counter", "gauge", "histogram") or not re.fullmatch(NAME, name):
                raise ValueError(f"{name} is no {kind}")
            if re.fullmatch(r"(?:[^\\]|\\[\\n])*", meaning) is None:
                raise ValueError(f"a bad escape: {meaning}")
            found[name] = Read(kind, _plain(meaning))
            continue
        match = SAMPLE.fullmatch(line)
        if match is None or NUMBER.fullmatch(match[match.lastindex or 0]) is None:
            raise ValueError(f"no sample: {line!r}")
        family, whole = found[name], match[1]
        suffixes = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
        if whole not in [name + suffix for suffix in suffixes]:
            raise ValueError(f"{whole} stands among the samples of {name}")
        labels = tuple((key, _plain(value)) for key, value in re.findall(LABEL, match[2] or ""))
        if (whole, labels) in family.samples or len(dict(labels)) != len(labels):
            raise ValueError(f"twice: {line!r}")
        family.samples[whole, labels] = float(match[match.lastindex or 0])
    for name, family in found.items():
        _check(name, family)
    return found


def _check(name: str, family: Read) -> None:
    if not family.samples:
        raise ValueError(f"{name} has no samples")
    if (family.kind == "counter") != name.endswith("_total"):
        raise ValueError(f"{name} is a {family.kind}")
    if family.kind == "counter" and min(family.samples.values()) < 0:
        raise ValueError(f"{name} is below 0")
    if family.kind == "histogram":
        _check_histogram(name, family)


def _check_histogram(name: str, family: Read) -> None:
    buckets: dict[Labels, list[tuple[float, float]]] = {}
    for (whole, labels), value in family.samples.items():
        if whole == f"{name}_bucket":
            key, bound = labels[-1]
            if key != "le":
                raise ValueError("a bucket without a bound")
            buckets.setdefault(labels[:-1], []).append((float(bound), value))
    for labels, pairs in buckets.items():
        if pairs != sorted(pairs) or [one for _, one in pairs] != sorted(one for _, one in pairs):
            raise ValueError("buckets are not in order, or not cumulative")
        if pairs[-1] != (float("inf"), family.samples[f"{name}_count", labels]):
            raise ValueError("the last bucket is not all")
        family.samples[f"{name}_sum", labels]


def _plain(text: str) -> str:
    escaped = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}
    return re.sub(r'\\[\\n"]', lambda match: escaped[match.group()], text)
