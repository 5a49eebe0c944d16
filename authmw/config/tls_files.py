"""Checks the files that the TLS options of the identity endpoint name, when the filter is built."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from authmw.errors import ConfigurationError
from authmw.net.pem_files import load_authorities, load_certificate

if TYPE_CHECKING:
    from authmw.config.settings import Settings


def verify_tls_files(settings: Settings, section: str = "keystone_authtoken") -> None:
    """Load what `cafile`, `certfile` and `keyfile` name, to find their faults at start.

    Args:
        settings: with these options.
        section: where they stand, for errors.

    Raises ConfigurationError.
    """
    try:
        _load(settings)
    except ConfigurationError as error:
        if section == error.section:
            raise
        raise ConfigurationError(
            error.option, error.value, error.fix, section=section
        ) from error.__cause__


def _load(settings: Settings) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.cafile is not None and not settings.insecure:
        load_authorities(context, "cafile", settings.cafile)
    if settings.certfile is not None:
        load_certificate(
            context,
            certificate_option="certfile",
            certfile=settings.certfile,
            key_option="keyfile",
            keyfile=settings.keyfile,
        )
