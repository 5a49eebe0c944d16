"""A drop-in for `keystonemiddleware.oauth2_token`: Keystone's tokens as OAuth2 bearer tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from authmw.middleware import WsgiApp
from authmw.middleware import filter_factory as make_filter
from authmw.wsgi.bearer_only import BearerOnly

__all__ = ["filter_factory"]


def filter_factory(
    global_conf: Mapping[str, Any], **local_conf: Any
) -> Callable[[WsgiApp], BearerOnly]:
    """Return a paste-deploy filter that reads `Authorization: Bearer` alone.

    It is configured by `[keystone_authtoken]`; the service gets no request without a valid token,
    whatever `delay_auth_decision` says.

    Raises:
        ConfigurationError: an option is wrong.
    """
    protect = make_filter(
        global_conf, **{**local_conf, "accept_bearer": True, "delay_auth_decision": False}
    )
    return lambda app: BearerOnly(protect(app))
