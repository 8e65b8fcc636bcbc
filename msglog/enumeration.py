"""Enumerations with the meaning of the standard library's, and little of their cost at the start.

`enum` takes 3 ms with what it imports. Only what msglog uses is there: members in capitals, `auto`,
`name` and `value`, iteration, look-up by value. Type checkers see the standard library's names.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from enum import Enum, auto
else:

    class auto:  # noqa: N801 - as the standard library calls it
        """A value that is the number of the member, from 1 on."""

    class _Kind(type):
        """The class of an enumeration's class, which knows its members."""

        def __new__(cls, name, bases, contents):
            given = {key: contents.pop(key) for key in list(contents) if key.isupper()}
            made = super().__new__(cls, name, bases, contents)
            made._members = {}
            for number, (key, value) in enumerate(given.items(), 1):
                member = object.__new__(made)
                member.name = key
                member.value = number if isinstance(value, auto) else value
                made._members[member.value] = member
                setattr(made, key, member)
            return made

        def __call__(cls, value):
            """Return the member of a value; raises ValueError."""
            try:
                return cls._members[value]
            except (KeyError, TypeError):
                raise ValueError(f"{value!r} is not a valid {cls.__qualname__}") from None

        def __iter__(cls):
            """Yield the members in order."""
            return iter(cls._members.values())

        def __contains__(cls, member):
            """Tell whether something is one of the members."""
            return isinstance(member, cls)

        def __len__(cls):
            """Return how many members there are."""
            return len(cls._members)

    class Enum(metaclass=_Kind):
        """The base of enumerations."""

        def __repr__(self):
            """Return what the standard library's does."""
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

        def __str__(self):
            """Return what the standard library's does."""
            return f"{type(self).__name__}.{self.name}"


__all__ = ["Enum", "auto"]
