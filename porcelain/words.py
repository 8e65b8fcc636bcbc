"""The arguments of ordinary calls, read without argparse, whose import and parsers take 10 ms.

Commands declare their arguments to whatever has argparse's `add_argument`. `Words` takes the
declarations and reads the calls in which every option is spelled out and every value is where it
belongs. Of anything else - an error, an abbreviation, `--help`, a declaration that it does not
know - it says None, and argparse decides: what is refused, and with which words, is argparse's.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import MsglogError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence
    from typing import Any

    Conversion = Callable[[str], object]
else:

    class Namespace:
        """What arguments were given, by name; as argparse's."""

        def __init__(self, **values):
            self.__dict__.update(values)


SUPPRESS = "==SUPPRESS=="
"""argparse's own: the name has no value unless one is given."""

LAST_COUNTS = ("-n", "--date", "--format", "--color")
"""Options of how things are shown, which an alias of the shell may have and its user say again."""

_FLAGS = {"store_true": True, "store_false": False}
_MANY = ("*", "+")
REMAINDER = "..."
"""argparse's own: an option with it takes all that follows, options and `--` as well."""


@dataclass(frozen=True, slots=True)
class _Argument:
    """One declared option or positional argument.

    last_counts: it may be given again, and the last value is meant.
    """

    name: str
    action: str
    nargs: str | None
    default: object
    convert: Conversion | None
    choices: Sequence[object] | None
    group: _Group | None
    last_counts: bool = True

    def value(self, text: str) -> object:
        """Return what a text means; raises _Unusual for what it cannot."""
        if self.convert is None:
            found: object = text
        else:
            try:
                found = self.convert(text)
            except MsglogError:
                raise
            except Exception as error:
                raise _Unusual from error  # whatever it is, argparse meets it again
        if self.choices is not None and found not in self.choices:
            raise _Unusual
        return found


class _Unusual(Exception):  # noqa: N818 - no error: argparse has to look
    """A call or a declaration for argparse."""


class _Group:
    """Options that exclude each other."""

    __slots__ = ("_words",)

    def __init__(self, words: Words) -> None:
        self._words = words

    def add_argument(self, *names: str, **declared: Any) -> None:
        """Declare an option of the group."""
        self._words.declare(names, declared, self)


class Words:
    """The declared arguments of one command, and the reading of its ordinary calls."""

    __slots__ = ("_options", "_positionals", "_usual")

    def __init__(self) -> None:
        self._options: dict[str, _Argument] = {}
        self._positionals: list[_Argument] = []
        self._usual = True

    def add_argument(self, *names: str, **declared: Any) -> None:
        """Declare an argument, as argparse's method does."""
        self.declare(names, declared, None)

    def add_mutually_exclusive_group(self, **declared: Any) -> _Group:
        """Return a group whose options exclude each other."""
        if declared.get("required"):
            self._usual = False
        return _Group(self)

    def __getattr__(self, name: str) -> Any:
        """Return something harmless: with what is not known here, argparse decides every call."""
        if name.startswith("__"):
            raise AttributeError(name)
        self._usual = False
        return _Ignored()

    def declare(self, names: Sequence[str], declared: dict[str, Any], group: _Group | None) -> None:
        """Take one declaration."""
        known = {"action", "choices", "default", "dest", "help", "metavar", "nargs", "type"}
        action = declared.get("action", "store")
        nargs = declared.get("nargs")
        is_option = names[0].startswith("-")
        if (
            not known.issuperset(declared)
            or action not in ("store", "append", *_FLAGS)
            or (nargs is not None and nargs not in ((REMAINDER,) if is_option else ("?", *_MANY)))
            or (group is not None and not is_option)
        ):
            self._usual = False
            return
        flag = _FLAGS.get(action)
        default = declared.get("default", None if flag is None else not flag)
        name = declared.get("dest") or _destination(names)
        argument = _Argument(
            name,
            action,
            nargs,
            default,
            declared.get("type"),
            declared.get("choices"),
            group,
            last_counts=names[0] in LAST_COUNTS,
        )
        if not is_option:
            self._positionals.append(argument)
            return
        for option in names:
            self._options[option] = argument

    def read(self, arguments: Sequence[str], given: Namespace) -> Namespace | None:
        """Return what ordinary arguments say on top of what was given before; else None.

        Raises what a conversion raises on purpose (MsglogError).
        """
        if not self._usual:
            return None
        found: dict[str, object] = {}
        try:
            rest = self._read_options(arguments, found)
            self._read_positionals(rest, found)
            return self._with_defaults(found, given)
        except _Unusual:
            return None

    def _read_options(self, arguments: Sequence[str], found: dict[str, object]) -> list[str]:
        """Take the options; return what are none."""
        rest: list[str] = []
        excluding: dict[_Group, _Argument] = {}
        following = iter(arguments)
        for word in following:
            if not word.startswith("-") or word == "-":
                rest.append(word)
                continue
            argument = self._options.get(word)
            text: str | None = None
            if argument is None:
                option, equals, text = word.partition("=")
                if not (word.startswith("--") and equals):
                    option, text = word[:2], word[2:]
                    if text[:1] == "=":  # which argparse leaves out
                        raise _Unusual
                argument = self._options.get(option)
                if argument is None or argument.action in _FLAGS or not text:
                    raise _Unusual
            group = argument.group
            if group is not None and excluding.setdefault(group, argument) is not argument:
                raise _Unusual
            flag = _FLAGS.get(argument.action)
            if flag is not None:
                found[argument.name] = flag
                continue
            if argument.nargs == REMAINDER:
                if text is not None:
                    raise _Unusual
                found[argument.name] = [argument.value(word) for word in following]
                break
            if text is None:
                text = next(following, None)
                if text is None or (text.startswith("-") and text != "-"):
                    raise _Unusual
            value = argument.value(text)
            if argument.action == "append":
                before = found.get(argument.name, argument.default) or []
                if before is SUPPRESS:
                    before = []
                value = [*before, value]  # type: ignore[misc] # a list, or argparse would fail too
            elif argument.name in found and not argument.last_counts:
                raise _Unusual
            found[argument.name] = value
        return rest

    def _read_positionals(self, rest: list[str], found: dict[str, object]) -> None:
        """Hand out what are no options, in order."""
        for number, argument in enumerate(self._positionals):
            last = number == len(self._positionals) - 1
            if argument.nargs in _MANY:
                if not last or (argument.nargs == "+" and not rest):
                    raise _Unusual
                if rest:
                    found[argument.name] = [argument.value(text) for text in rest]
                elif argument.default is None:
                    found[argument.name] = []
                rest = []
            elif rest:
                found[argument.name] = argument.value(rest[0])
                rest = rest[1:]
            elif argument.nargs is None:
                raise _Unusual
        if rest:
            raise _Unusual

    def _with_defaults(self, found: dict[str, object], given: Namespace) -> Namespace:
        values = dict(vars(given))
        for argument in (*self._positionals, *self._options.values()):
            if argument.default is not SUPPRESS and argument.name not in values:
                default = argument.default
                if isinstance(default, str) and argument.convert is not None:
                    default = argument.value(default)
                values[argument.name] = default
        values.update(found)
        return Namespace(**values)


class _Ignored:
    """Stands for what a command declares to argparse alone."""

    def __getattr__(self, name: str) -> _Ignored:
        """Return another of the kind."""
        return self

    def __call__(self, *_: object, **__: object) -> _Ignored:
        """Take whatever is declared."""
        return self


def _destination(names: Sequence[str]) -> str:
    """Return the name under which argparse keeps an argument: of its first long option."""
    if not names[0].startswith("-"):
        return names[0]
    name = next((name for name in names if name.startswith("--")), names[0])
    return name.lstrip("-").replace("-", "_")


def declare_global_options(words: Words) -> None:
    """Declare the options that every command takes, before or after the command."""
    add = words.add_argument
    add("-C", dest="directory", action="append", default=SUPPRESS)
    add("--json", action="store_true", default=SUPPRESS)
    volume = words.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", default=SUPPRESS)
    volume.add_argument("-v", "--verbose", action="store_true", default=SUPPRESS)
    add("--color", choices=("auto", "always", "never"), default=SUPPRESS)
    add("--no-pager", dest="pager", action="store_false", default=SUPPRESS)
    add("--progress", action="store_true", default=SUPPRESS)


__all__ = ["LAST_COUNTS", "REMAINDER", "SUPPRESS", "Namespace", "Words", "declare_global_options"]
