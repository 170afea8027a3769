"""A CA of a test's own, and what it signs: for servers on loopback that speak TLS."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a CA and what it signs for 127.0.0.1; return the CA's file and the server's."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's CA")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    begin, end = now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1)

    def signed(name: x509.Name, public: Any, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(issuer, name, public, x509.random_serial_number())
        dated = builder.not_valid_before(begin).not_valid_after(end)
        return (
            dated.add_extension(extension, critical=True)
            .sign(ca_key, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )

    ca, server = folder / "ca.pem", folder / "server.pem"
    ca.write_bytes(
        signed(issuer, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server.write_bytes(signed(subject, key.public_key(), address) + pem)
    return ca, server
