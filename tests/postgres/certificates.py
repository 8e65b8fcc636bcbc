"""A certificate authority of the moment, and what it vouches for: a server and a client."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_DAY = dt.timedelta(days=1)

SERVER_NAME = "database.example"


class Authority:
    """Makes certificates that whoever has its own one believes."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._signed(
            name, self._key, [x509.BasicConstraints(ca=True, path_length=None)]
        )

    def write(self, path: Path) -> Path:
        """Write its own certificate."""
        path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(self, name: str, certificate: Path, key: Path, *, server: bool = False) -> None:
        """Write a key and a certificate: of a server by its names, or of a client by its login."""
        made = ec.generate_private_key(ec.SECP256R1())
        address = ipaddress.ip_address("127.0.0.1")
        names = [x509.DNSName(name), x509.IPAddress(address)]
        more = [x509.SubjectAlternativeName(names)] if server else []
        signed = self._signed(name, made, more)
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        key.touch(mode=0o600)
        key.write_bytes(
            made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def _signed(
        self, name: str, key: ec.EllipticCurvePrivateKey, extensions: "Sequence[x509.ExtensionType]"
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
        )
        for extension in extensions:
            builder = builder.add_extension(
                extension, critical=isinstance(extension, x509.BasicConstraints)
            )
        return builder.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
