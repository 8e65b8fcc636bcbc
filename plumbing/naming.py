"""What a name on a plumbing command line stands for: a log, a ref, or the beginning of an id."""

from __future__ import annotations

import re

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import NegativeAnswer, UsageError
from msglog.index.node import EMPTY_NODE, EMPTY_ROOT, Inner, load_node
from msglog.key import key_object_id
from msglog.objectid import ObjectId, parse_abbreviation
from msglog.refname import LOG_PREFIX, REMOTE_PREFIX
from msglog.revision import root_of, short_name, split_age
from msglog.unsafe_text import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from msglog.key import Key
    from msglog.repository import Repository

CANDIDATES_LIMIT = 8
"""How many candidates an error about an ambiguous abbreviation lists."""

_READ_AT_ONCE = 64
_FULL_ID = re.compile(r"[0-9a-f]{64}")
_ABBREVIATION = re.compile(r"[0-9a-fA-F]{4,64}")


class UnknownNameError(NegativeAnswer):
    """No log, ref or object has this name; known: names of logs and refs that there are."""

    def __init__(self, name: str, why: str = "", known: Iterable[str] = ()) -> None:
        from msglog.guess import question  # noqa: PLC0415 - only where something was mistyped

        super().__init__(
            f"{name[:80]!r} names no log, ref or object here", why=why, hint=question(name, known)
        )


class AmbiguousNameError(UsageError):
    """More than one object's id begins with these digits."""

    def __init__(self, digits: str, candidates: list[Candidate]) -> None:
        shown = [f"{one.kind} {one.oid.hex()}" for one in candidates[:CANDIDATES_LIMIT]]
        more = ["..."] if len(candidates) > CANDIDATES_LIMIT else []
        super().__init__(
            f"{digits} is the beginning of more than one id",
            why=", ".join([*shown, *more]),
            hint="Give more digits.",
        )
        self.candidates = candidates


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that a name may mean; kind: "message" or "node". key: of a message."""

    oid: ObjectId
    kind: str
    key: Key | None = None


def resolve(repository: Repository, name: str) -> ObjectId:
    """Return the id that a name stands for; a full id stands for itself, held here or not.

    In this order: 64 hex digits; `refs/...`; a log; `REMOTE/LOG`; any of these with `@{N}` for what
    it was N changes ago; 4 or more hex digits that begin the id of one object. Raises
    UnknownNameError, ForgottenValueError or AmbiguousNameError.
    """
    if _FULL_ID.fullmatch(name) is not None:
        return ObjectId(bytes.fromhex(name))
    root = _resolve_ref(repository, name)
    if root is not None:
        return root
    if _ABBREVIATION.fullmatch(name) is None:
        refs = repository.store.refs()
        raise UnknownNameError(name, known=[short_name(ref) for ref in refs])
    return find_object(repository, name).oid


def _resolve_ref(repository: Repository, name: str) -> ObjectId | None:
    plain, age = split_age(name)
    if not is_plain(plain):
        return None  # as no ref is, and not every text is one that a store can be asked for
    for ref in (plain, LOG_PREFIX + plain, REMOTE_PREFIX + plain):
        root = root_of(repository, ref, age, name=name)
        if root is not None:
            return root
    return None


def find_object(repository: Repository, name: str) -> Candidate:
    """Return the one object held here whose id begins with these digits.

    Raises UnknownNameError or AmbiguousNameError.
    """
    if _ABBREVIATION.fullmatch(name) is None:
        raise UnknownNameError(name)
    digits = parse_abbreviation(name)
    found = [
        Candidate(key_object_id(key), "message", key)
        for key in repository.find(digits, limit=CANDIDATES_LIMIT + 1)
    ]
    found += [Candidate(oid, "node") for oid in _nodes(repository, digits)]
    if not found:
        raise UnknownNameError(name)
    if len(found) > 1:
        raise AmbiguousNameError(digits, found)
    return found[0]


def _nodes(repository: Repository, digits: str) -> list[ObjectId]:
    """Return the index nodes whose ids begin with digits; only a full id is looked up directly."""
    if _FULL_ID.fullmatch(digits) is not None:
        oid = ObjectId(bytes.fromhex(digits))
        held = oid == EMPTY_ROOT or oid in repository.store.find_nodes([oid])
        return [oid] if held else []
    found = (oid for oid in _all_nodes(repository) if oid.hex().startswith(digits))
    return [oid for oid, _ in zip(found, range(CANDIDATES_LIMIT + 1), strict=False)]


def _all_nodes(repository: Repository) -> Iterator[ObjectId]:
    """Yield the nodes that refs reach, and the empty root, each once."""
    seen = {EMPTY_ROOT}
    yield EMPTY_ROOT
    stack = [ref.root for ref in repository.store.refs().values()]
    while stack:
        batch = [oid for oid in dict.fromkeys(stack[-_READ_AT_ONCE:]) if oid not in seen]
        del stack[-_READ_AT_ONCE:]
        seen.update(batch)
        yield from batch
        for data in repository.store.read_nodes(batch).values():
            node = load_node(data)
            if isinstance(node, Inner):
                stack.extend([child[1] for child in node.children])


def read_object(repository: Repository, candidate: Candidate) -> bytes:
    """Return the exact bytes of an object; raises MissingObjectError or DamagedObjectError."""
    if candidate.key is not None:
        return repository.store.read_messages([candidate.key])[candidate.key]
    if candidate.oid == EMPTY_ROOT:
        return EMPTY_NODE
    return repository.store.read_nodes([candidate.oid])[candidate.oid]
