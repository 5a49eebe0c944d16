"""A drop-in for `keystonemiddleware.external_oauth2_token`: tokens of an OAuth2 server."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from authmw.build import build_filter_parts
from authmw.config.external_oauth2 import name_own_option, translate_external_oauth2
from authmw.errors import ConfigurationError, Reason
from authmw.middleware import AuthMiddleware, WsgiApp
from authmw.rejection import Rejection
from authmw.token import Token
from authmw.wsgi.bearer_only import BearerOnly
from authmw.wsgi.external_token_info import TOKEN_INFO, make_external_token_info

__all__ = ["filter_factory"]


def filter_factory(
    global_conf: Mapping[str, Any], **local_conf: Any
) -> Callable[[WsgiApp], BearerOnly]:
    """Return a paste-deploy filter that is configured by `[ext_oauth2_auth]`.

    Raises:
        ConfigurationError: an option is wrong, or one that is needed is not set.
    """
    try:
        parts = build_filter_parts(translate_external_oauth2({**global_conf, **local_conf}))
    except ConfigurationError as error:
        raise name_own_option(error) from error
    return functools.partial(_protect, parts)


def _protect(parts: Any, app: WsgiApp) -> BearerOnly:
    return BearerOnly(_ExternalOAuth2.from_parts(app, parts))


class _ExternalOAuth2(AuthMiddleware):
    """Says what services know from the filter that it replaces."""

    def on_authenticated(self, environ: dict[str, Any], token: Token) -> None:
        environ[TOKEN_INFO] = make_external_token_info(token)

    def reject(
        self, environ: dict[str, Any], start_response: Callable[..., Any], rejection: Rejection
    ) -> Iterable[bytes]:
        # The token is good, so that another one like it would help nobody.
        if rejection.reason is Reason.INCOMPLETE:
            rejection = rejection._replace(status=403)
        return super().reject(environ, start_response, rejection)
