"""Data classes with the meaning of the standard library's, and little of their cost at the start.

`dataclasses` imports `inspect` and compiles five methods for each class: 8 ms and 0.2 ms a class,
several times what the rest of a small command takes. Here the methods are shared between classes,
and slots are set through their descriptors. Type checkers see the standard library's names.

Only what msglog uses is there: slots always, frozen or not, defaults, `default_factory`,
`init=False`, `__post_init__`, `replace`; no inheritance of fields, no order, no keyword-only ones.
"""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import FrozenInstanceError, dataclass, field, replace
else:
    _MISSING = object()

    class FrozenInstanceError(AttributeError):
        """A field of a frozen instance was to be changed."""

    class _Field:
        """What is known of a field beside its name."""

        __slots__ = ("default", "factory", "init")

        def __init__(self, default, factory, *, init):
            self.default = default
            self.factory = factory
            self.init = init

    def field(*, default=_MISSING, default_factory=None, init=True):
        """Say more of a field than its type."""
        return _Field(default, default_factory, init=init)

    def dataclass(*, frozen=False, slots):
        """Make a class of a list of fields, as the standard library's decorator does."""
        assert slots, "msglog has no others"

        def decorate(cls):
            return _make(cls, frozen=frozen)

        return decorate

    def replace(instance, /, **changes):
        """Return a copy of an instance with other values in some fields."""
        for name in instance.__match_args__:
            if name not in changes:
                changes[name] = getattr(instance, name)
        return type(instance)(**changes)

    def _make(cls, *, frozen):
        """Return a class with the contents of another, and a slot for each annotated name."""
        fields = {name: _Field(_MISSING, None, init=True) for name in cls.__annotations__}
        contents = dict(cls.__dict__)
        for name, known in fields.items():
            default = contents.pop(name, _MISSING)
            if isinstance(default, _Field):
                fields[name] = default
            else:
                known.default = default
        contents.pop("__dict__", None)
        contents.pop("__weakref__", None)
        contents["__qualname__"] = cls.__qualname__
        contents["__slots__"] = tuple(fields)
        contents["__match_args__"] = tuple([name for name in fields if fields[name].init])
        contents["__repr__"] = contents.get("__repr__", _repr)
        if "__eq__" not in contents:
            contents["__eq__"] = _eq
            contents.setdefault("__hash__", _hash if frozen else None)
        if frozen:
            contents["__setattr__"] = contents["__delattr__"] = _refuse
            contents.setdefault("__setstate__", _set_state)
        made = type(cls)(cls.__name__, cls.__bases__, contents)
        made.__init__ = _initialiser(made, fields)
        return made

    def _initialiser(cls, fields):
        """Return the `__init__` of a class, quickest where it gets all values by position."""
        names = cls.__match_args__
        count = len(names)
        setters = tuple([cls.__dict__[name].__set__ for name in names])
        derived = [
            (cls.__dict__[name].__set__, fields[name]) for name in fields if name not in names
        ]
        conclude = cls.__dict__.get("__post_init__")

        def __init__(self, /, *values, **named):  # noqa: N807 - it becomes a method
            if named or len(values) != count:
                values = _arranged(cls, names, fields, values, named)
            for put, value in zip(setters, values):  # noqa: B905 - as many as there are
                put(self, value)
            if derived:
                for put, known in derived:
                    if known.default is not _MISSING or known.factory is not None:
                        put(self, _default(known))
            if conclude is not None:
                conclude(self)

        return __init__

    def _arranged(cls, names, fields, values, named):
        """Return the values of all fields in order, of arguments as they were given."""
        if len(values) > len(names):
            raise TypeError(f"{cls.__qualname__} takes {len(names)} values and got {len(values)}")
        arranged = list(values)
        for name in names[len(values) :]:
            known = fields[name]
            if name in named:
                arranged.append(named.pop(name))
            elif known.default is _MISSING and known.factory is None:
                raise TypeError(f"{cls.__qualname__} needs a value for {name!r}")
            else:
                arranged.append(_default(known))
        if named:
            raise TypeError(f"{cls.__qualname__} takes no {', '.join(named)}, or not once more")
        return arranged

    def _default(known):
        return known.default if known.factory is None else known.factory()

    def _values(instance):
        return tuple([getattr(instance, name) for name in instance.__slots__])

    def _repr(self):
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__slots__])
        return f"{type(self).__qualname__}({shown})"

    def _eq(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return self is other or _values(self) == _values(other)

    def _hash(self):
        return hash(_values(self))

    def _set_state(self, state):
        """Take what `object.__getstate__` gives, for a copy or what was pickled."""
        for name, value in state[1].items():
            type(self).__dict__[name].__set__(self, value)

    def _refuse(self, name, _value=None):
        raise FrozenInstanceError(f"{name!r} of a {type(self).__qualname__} cannot be changed")


__all__ = ["FrozenInstanceError", "dataclass", "field", "replace"]
