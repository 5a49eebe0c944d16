"""The TLS context that the `memcache_tls_*` options describe."""

from __future__ import annotations

import ssl
import sys

from authmw.errors import ConfigurationError
from authmw.net.pem_files import load_authorities, load_certificate
from authmw.net.tls import DeadlineTlsContext, make_tls_context


def make_memcached_tls_context(
    *,
    cafile: str | None,
    certfile: str | None,
    keyfile: str | None,
    allowed_ciphers: str | None,
) -> DeadlineTlsContext:
    """Return a context with these authorities, certificate and ciphers.

    Raises ConfigurationError that names the option whose file or ciphers can't be used.
    """
    context = make_tls_context()
    if sys.version_info >= (3, 13):  # as ssl.create_default_context does
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if cafile is None:
        context.load_default_certs()
    else:
        load_authorities(context, "memcache_tls_cafile", cafile)
    if certfile is not None:
        load_certificate(
            context,
            certificate_option="memcache_tls_certfile",
            certfile=certfile,
            key_option="memcache_tls_keyfile",
            keyfile=keyfile,
        )
    if allowed_ciphers is not None:
        try:
            context.set_ciphers(allowed_ciphers)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(
                "memcache_tls_allowed_ciphers",
                allowed_ciphers,
                f"name ciphers as `openssl ciphers` does ({error})",
            ) from error
    return context
