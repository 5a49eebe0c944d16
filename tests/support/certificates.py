"""A certification authority for one test session."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_YEAR = datetime.timedelta(days=365)


class Authority:
    """Makes certificates for servers; `cafile` is what a client needs to trust them."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign(name, self._key, is_authority=True)
        self.cafile = directory / f"{name}.pem"
        self.cafile.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def encrypt_key_of(self, host: str) -> tuple[Path, Path, Path]:
        """Write the key of `host` again, encrypted; `server_context` made it.

        Returns the certificate, the encrypted key, and a file with both.
        """
        made = self._directory / f"{self._name}-{host}.pem"
        key = serialization.load_pem_private_key(made.read_bytes(), None)
        encrypted = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
        certificate = x509.load_pem_x509_certificate(made.read_bytes()).public_bytes(
            serialization.Encoding.PEM
        )
        paths = [made.with_suffix(f".{kind}.pem") for kind in ("certificate", "key", "both")]
        for path, content in zip(
            paths, (certificate, encrypted, certificate + encrypted), strict=True
        ):
            path.write_bytes(content)
        return paths[0], paths[1], paths[2]

    def server_context(self, host: str, *, days_left: float = 365) -> ssl.SSLContext:
        """Return the context of a server that calls itself `host`.

        Args:
            host: the only name in its certificate.
            days_left: until the certificate ends; negative: it has ended.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._directory / f"{self._name}-{host}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + self._sign(
                host, key, is_authority=False, ends_in=datetime.timedelta(days=days_left)
            ).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        is_authority: bool,
        ends_in: datetime.timedelta = _YEAR,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _YEAR)
            .not_valid_after(now + ends_in)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())
