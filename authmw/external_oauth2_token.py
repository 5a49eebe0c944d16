"""A drop-in for `keystonemiddleware.external_oauth2_token`: tokens of an OAuth2 server."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from authmw.build import build_filter_parts
from authmw.config.external_oauth2 import translate_external_oauth2
from authmw.middleware import AuthMiddleware, WsgiApp
from authmw.wsgi.bearer_only import BearerOnly

__all__ = ["filter_factory"]


def filter_factory(
    global_conf: Mapping[str, Any], **local_conf: Any
) -> Callable[[WsgiApp], BearerOnly]:
    """Return a paste-deploy filter that is configured by `[ext_oauth2_auth]`.

    Raises:
        ConfigurationError: an option is wrong, or one that is needed is not set.
    """
    parts = build_filter_parts(translate_external_oauth2({**global_conf, **local_conf}))
    return functools.partial(_protect, parts)


def _protect(parts: Any, app: WsgiApp) -> BearerOnly:
    return BearerOnly(AuthMiddleware.from_parts(app, parts))
