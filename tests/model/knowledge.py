"""What the model knows of a site: a set of keys for each log, and how it may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msglog.index.change import build
from msglog.index.node import EMPTY_ROOT, Leaf, load_node
from msglog.index.verification import Fault, verify
from msglog.key import Key
from msglog.objectid import ObjectId
from msglog.refname import LOG_PREFIX, REMOTE_PREFIX
from msglog.store.memory import MemoryStore
from msglog.store.sqlite import SqliteStore
from msglog.store.store import Store, Usage
from tests.model.sites import Site

Keys = frozenset[Key]
NOTHING: Keys = frozenset()


class ModelError(AssertionError):
    """The product did what the model says it may not."""


@dataclass
class Known:
    """What a site must have. deleted: logs that were, with the time when they were forgotten."""

    site: Site
    logs: dict[str, Keys] = field(default_factory=lambda: {"main": NOTHING})
    tracking: dict[tuple[str, str], Keys] = field(default_factory=dict)
    deleted: list[tuple[int, Keys]] = field(default_factory=list)
    met: dict[str, bytes] = field(default_factory=dict)
    removed: dict[str, Usage] = field(default_factory=dict)
    exact_usage: bool = True
    sound: set[ObjectId] = field(default_factory=set)

    def snapshot(self) -> "Known":
        return Known(
            self.site,
            dict(self.logs),
            dict(self.tracking),
            list(self.deleted),
            dict(self.met),
            dict(self.removed),
            self.exact_usage,
        )


class Library:
    """All sets of keys by their roots: what a root says is for ever, and equal sets have one."""

    def __init__(self) -> None:
        self.sets: dict[ObjectId, Keys] = {EMPTY_ROOT: NOTHING}
        self._roots: dict[Keys, ObjectId] = {NOTHING: EMPTY_ROOT}

    def keys_of(self, store: Store, root: ObjectId) -> Keys:
        known = self.sets.get(root)
        if known is not None:
            return known
        node = load_node(store.read_nodes([root])[root])
        if isinstance(node, Leaf):
            keys = frozenset(node.keys)
        else:
            keys = NOTHING.union(*[self.keys_of(store, child[1]) for child in node.children])
        if len(keys) != node.count:
            raise ModelError(f"node {root.hex()} counts {node.count} of {len(keys)}")
        self.sets[root] = keys
        if self._roots.setdefault(keys, root) != root:
            raise ModelError("equal sets have different roots")
        return keys

    def look(self, site: Site) -> tuple[dict[str, Keys], dict[tuple[str, str], Keys]]:
        """Return a site's logs, and by remote and log what it knows of remotes."""
        logs: dict[str, Keys] = {}
        tracking: dict[tuple[str, str], Keys] = {}
        for name, ref in site.store.refs().items():
            keys = self.keys_of(site.store, ref.root)
            if len(keys) != ref.count:
                raise ModelError(f"{site} {name} has {len(keys)} keys and counts {ref.count}")
            if name.startswith(LOG_PREFIX):
                logs[name.removeprefix(LOG_PREFIX)] = keys
            else:
                remote, _, log = name.removeprefix(REMOTE_PREFIX).partition("/")
                tracking[remote, log] = keys
        return logs, tracking


def settle(library: Library, known: Known, allowed: Mapping[str, Keys], what: str) -> None:
    """Look at a site: no log may have lost anything, nor gained what is not allowed."""
    logs, tracking = library.look(known.site)
    for log, old in known.logs.items():
        if log not in logs:
            raise ModelError(f"{what}: {known.site} has lost the log {log}")
        if not old <= logs[log]:
            raise ModelError(f"{what}: {known.site} {log} has lost {len(old - logs[log])}")
    for log, new in logs.items():
        old = known.logs.get(log, NOTHING)
        if new != old and not new - old <= allowed.get(log, NOTHING):
            raise ModelError(f"{what}: {known.site} {log} has what nobody gave it")
        if log not in known.logs and log not in allowed:
            raise ModelError(f"{what}: {known.site} has a log {log} that nobody made")
    known.logs, known.tracking = logs, tracking


def receipts(site: Site) -> dict[Key, str]:
    """Return who was the first to deliver each message that came from elsewhere."""
    if isinstance(site.store, MemoryStore):
        return {key: receipt.user for key, receipt in site.store._receipts.items()}
    assert isinstance(site.store, SqliteStore)
    sql = "SELECT m.key, r.user FROM messages m JOIN receipts r ON r.id = m.receipt"
    return dict(site.store._link.connection.execute(sql).fetchall())


def audit(library: Library, objects: Mapping[Key, bytes], known: Known) -> None:
    """Look at all that a site keeps for its refs."""
    site, store = known.site, known.site.store
    for name, ref in store.refs().items():
        if ref.root in known.sound:
            continue
        keys: list[Key] = []
        for found in verify(store.find_nodes, ref.root):
            if isinstance(found, Fault):
                raise ModelError(f"{site} {name}: node {found.node.hex()}: {found.why}")
            keys.extend(found)
        ordered = sorted(keys)
        if build(ordered).root != ref.root or library.sets[ref.root] != set(keys):
            raise ModelError(f"{site} {name}: its root is not that of its keys")
        there = store.find_messages(ordered)
        if there.keys() != set(keys):
            raise ModelError(f"{site} {name}: it has not all messages that it names")
        if any(objects[key] != data for key, data in there.items()):
            raise ModelError(f"{site} {name}: a message is not as it was written")
        known.sound.add(ref.root)
        if store.reflog(name, 1)[0].root != ref.root:
            raise ModelError(f"{site} {name}: its last value is not in its reflog")
    for fault in store.faults():
        raise ModelError(f"{site}: {fault}")


def audit_usage(objects: Mapping[Key, bytes], known: Known, counted: Mapping[str, str]) -> None:
    """See that what users delivered is counted. counted: under whose name each is."""
    delivered = {**dict.fromkeys(counted.values(), Usage()), **known.removed}
    for key, user in receipts(known.site).items():
        name = counted.get(user, user)
        delivered[name] = delivered.get(name, Usage()).plus(1, len(objects[key]))
    for name, expected in delivered.items():
        usage = known.site.store.usage(name)
        more = usage.messages - expected.messages, usage.size - expected.size
        if min(more) < 0 or (known.exact_usage and more != (0, 0)):
            raise ModelError(f"{known.site}: {name} delivered {expected}, and is said {usage}")
