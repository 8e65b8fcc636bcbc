"""paramiko without what a client has no use for, which is more than half of its import.

Its `__init__` is left for whoever asks the package for a name that is not here, its signatures by
PyNaCl are made by cryptography, and modules that only rare paths need are imported when these are
taken. Where any of this fails, paramiko is imported as it comes. ADR 0012 has the figures.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from msglog.stand_in import no_collecting, standing_in

_SERIALIZATION = "cryptography.hazmat.primitives.serialization"
_SSH_FORMATS = f"{_SERIALIZATION}.ssh"


class _Deferred(ModuleType):
    """Stands for a module that is used by its attributes, until one of them is asked for."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _Promise:
    """Stands for a name that one module took from another."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Promises(ModuleType):
    """Stands for a module whose names are taken by `from ... import`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.made: dict[str, _Promise] = {}

    def __getattr__(self, name: str) -> _Promise:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.made.setdefault(name, _Promise(name))

    def keep(self, taker: ModuleType) -> None:
        """Let a module that took names import the real ones when somebody asks it for them.

        Whoever else holds a promise gets the real thing at once.
        """
        taken = vars(vars(taker).get("_module", taker))  # cryptography wraps some of its modules
        for name, promise in self.made.items():
            if taken.get(name) is promise:
                del taken[name]

        def fetch(name: str) -> object:
            if name not in self.made:
                raise AttributeError(f"module {taker.__name__!r} has no attribute {name!r}")
            return taken.setdefault(name, self._real(name))

        if taken.setdefault("__getattr__", fetch) is not fetch:
            taken.update({name: self._real(name) for name in self.made})
        for module in [*sys.modules.values()]:
            names = getattr(module, "__dict__", {})
            if _Promise not in map(type, names.values()):
                continue
            for held, value in [*names.items()]:
                if isinstance(value, _Promise):
                    names[held] = self._real(value.name)

    def _real(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def _signatures() -> dict[str, ModuleType]:
    """Return what paramiko uses of PyNaCl, made of cryptography, which is loaded anyway."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - with paramiko alone
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    class BadSignatureError(Exception):
        """A signature is not the key's."""

    class SignedMessage(bytes):
        """What signing returns; paramiko takes the signature out of it."""

        signature: bytes

    class VerifyKey:
        """The public half of an Ed25519 key."""

        def __init__(self, key: bytes) -> None:
            self._bytes = bytes(key)
            self._key = Ed25519PublicKey.from_public_bytes(self._bytes)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, VerifyKey) and self._bytes == other._bytes

        def __hash__(self) -> int:
            return hash(self._bytes)

        def encode(self) -> bytes:
            return self._bytes

        def verify(self, message: bytes, signature: bytes) -> bytes:
            try:
                self._key.verify(signature, message)
            except InvalidSignature:
                raise BadSignatureError from None
            return message

    class SigningKey:
        """An Ed25519 key."""

        def __init__(self, seed: bytes) -> None:
            self._key = Ed25519PrivateKey.from_private_bytes(seed)
            self.verify_key = VerifyKey(self._key.public_key().public_bytes_raw())

        def sign(self, message: bytes) -> SignedMessage:
            signed = SignedMessage(self._key.sign(message) + message)
            signed.signature = signed[:64]
            return signed

    SigningKey(bytes(32)).sign(b"")  # raises where OpenSSL was built without Ed25519
    nacl, signing, exceptions = (
        ModuleType(name) for name in ("nacl", "nacl.signing", "nacl.exceptions")
    )
    vars(exceptions)["BadSignatureError"] = BadSignatureError
    vars(signing).update(VerifyKey=VerifyKey, SigningKey=SigningKey)
    vars(nacl).update(signing=signing, exceptions=exceptions)
    return {"nacl": nacl, "nacl.signing": signing, "nacl.exceptions": exceptions}


def _import_lean() -> None:
    """Put a package of paramiko whose `__init__` has not run yet into sys.modules."""
    promises = _Promises(_SSH_FORMATS)
    deferred: dict[str, ModuleType | None] = {
        name: _Deferred(name) for name in ("traceback", "bcrypt") if name not in sys.modules
    }
    if _SERIALIZATION not in sys.modules:
        deferred[_SSH_FORMATS] = promises
    try:
        with standing_in(deferred):
            signatures = _signatures()
            with standing_in({**signatures}):
                _import_package()
    finally:
        if promises.made:
            promises.keep(sys.modules[_SERIALIZATION])


def _import_package() -> None:
    spec = importlib.util.find_spec("paramiko")
    if spec is None or spec.loader is None:
        raise ImportError("paramiko")
    loader = spec.loader
    package = importlib.util.module_from_spec(spec)

    def complete(name: str) -> object:
        """Run the package's `__init__` for a name that is not here."""
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        vars(package).pop("__getattr__", None)
        with standing_in({"invoke": None}):
            loader.exec_module(package)
        return getattr(package, name)

    vars(package)["__version__"] = "5"
    sys.modules["paramiko"] = package
    transport, pkey, errors = (
        importlib.import_module(f"paramiko.{name}")
        for name in ("transport", "pkey", "ssh_exception")
    )
    names = {
        transport: ("Transport", "Channel", "RSAKey", "ECDSAKey", "Ed25519Key"),
        pkey: ("PKey",),
        errors: (
            "SSHException",
            "AuthenticationException",
            "BadAuthenticationType",
            "PasswordRequiredException",
        ),
    }
    for module, offered in names.items():
        vars(package).update({name: getattr(module, name) for name in offered})
    keys = [transport.RSAKey, transport.Ed25519Key, transport.ECDSAKey]
    vars(package).update(key_classes=keys, __getattr__=complete)


def _prepare() -> None:
    """Import paramiko, leanly if that works; where it is imported already, leave it alone."""
    if "paramiko" in sys.modules:
        return
    # invoke is imported only to run ssh_config's `Match exec`, which is left to OpenSSH here.
    with no_collecting(), standing_in({"invoke": None}):
        before = set(sys.modules)
        try:
            _import_lean()
        except Exception:  # noqa: BLE001 - another version of something: do without the gain
            for name in set(sys.modules) - before:
                if name.partition(".")[0] == "paramiko":
                    del sys.modules[name]
            importlib.import_module("paramiko")


_prepare()

import logging  # noqa: E402

import paramiko  # type: ignore[import-untyped] # noqa: E402

# Without a handler of its own, logging prints paramiko's warnings on standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

__all__ = ["paramiko"]
