"""The TLS context of the filter's own requests, and what a server's certificates say."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from authmw.config.settings import Settings
from authmw.net.pem_files import has_system_authorities, load_authorities, load_certificate
from authmw.net.tls import make_tls_context

# `requests` reads them in this order where no cafile is configured.
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_DER = 2  # _ssl.ENCODING_DER


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one certificate says (RFC 5280)."""

    subject: str
    issuer: str
    names: tuple[str, ...]  # that it is for
    not_before: datetime
    not_after: datetime

    @property
    def is_self_signed(self) -> bool:
        return self.subject == self.issuer


def name_authorities(settings: Settings) -> str:
    """Return where the authorities come from that the filter trusts, for people."""
    if settings.cafile is not None:
        return f"cafile = {settings.cafile}"
    for variable in _VARIABLES:
        if os.environ.get(variable):
            return f"{variable} = {os.environ[variable]}"
    return "the system's authorities" if has_system_authorities() else "the package certifi's"


def open_context(settings: Settings, *, verify: bool) -> ssl.SSLContext:
    """Return a context as the filter's requests have it.

    Raises ConfigurationError if a file can't be used.
    """
    context = make_tls_context(verify=verify)
    if verify:
        variable = next((name for name in _VARIABLES if os.environ.get(name)), None)
        if settings.cafile is not None:
            load_authorities(context, "cafile", settings.cafile)
        elif variable is not None:
            load_authorities(context, variable, os.environ[variable])
        elif has_system_authorities():
            context.load_default_certs()
        else:
            context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if settings.certfile is not None:
        load_certificate(
            context,
            certificate_option="certfile",
            certfile=settings.certfile,
            key_option="keyfile",
            keyfile=settings.keyfile,
        )
    return context


def read_chain(connection: ssl.SSLSocket) -> list[Certificate]:
    """Return the certificates of a server, its own first; all that were verified, if possible."""
    # Public in Python 3.13.
    chain = getattr(connection, "get_verified_chain", None)
    if chain is not None:
        return [parse_certificate(der) for der in chain()]
    chain = getattr(getattr(connection, "_sslobj", None), "get_verified_chain", None)
    if chain is not None and (found := chain()):
        return [parse_certificate(one.public_bytes(_DER)) for one in found]
    own = connection.getpeercert(binary_form=True)
    return [] if own is None else [parse_certificate(own)]


def parse_certificate(der: bytes) -> Certificate:
    """Return what a certificate in DER says; raises ValueError."""
    from cryptography import x509

    parsed = x509.load_der_x509_certificate(der)
    names: list[str] = []
    try:
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += extension.get_values_for_type(x509.DNSName)
        names += map(str, extension.get_values_for_type(x509.IPAddress))
    except x509.ExtensionNotFound:
        pass
    return Certificate(
        parsed.subject.rfc4514_string(),
        parsed.issuer.rfc4514_string(),
        tuple(names),
        parsed.not_valid_before_utc,
        parsed.not_valid_after_utc,
    )


def days_left(certificate: Certificate, now: float) -> int:
    """Return the whole days until a certificate ends; negative after its end."""
    return (certificate.not_after - datetime.fromtimestamp(now, UTC)).days
