"""A drop-in for `keystonemiddleware.oauth2_mtls_token`: tokens bound to a client's certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from authmw.checks.token_bind import CERTIFICATE
from authmw.middleware import WsgiApp
from authmw.oauth2_token import filter_factory as make_filter
from authmw.wsgi.bearer_only import BearerOnly

__all__ = ["filter_factory"]


def filter_factory(
    global_conf: Mapping[str, Any], **local_conf: Any
) -> Callable[[WsgiApp], BearerOnly]:
    """Return a paste-deploy filter that refuses tokens without such a binding (RFC 8705).

    Raises:
        ConfigurationError: an option is wrong.
    """
    return make_filter(global_conf, **{**local_conf, "enforce_token_bind": CERTIFICATE})
