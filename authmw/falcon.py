"""authmw for Falcon: the error handlers of an app see every refusal.

    app = authmw.falcon.protect(falcon.App(), config_file="/etc/inventory.conf")

Without need for that, `authmw.protect` is enough.
"""

from __future__ import annotations

import os
from typing import Any

import falcon

from authmw.config.option_names import verify_option_names
from authmw.decorators.configuration import find_configuration
from authmw.decorators.handed_over import HandsOver, raise_rejection
from authmw.wsgi.asgi import refuse_asgi


class _RaiseRejections:
    """Falcon middleware that ends a rejected request."""

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        raise_rejection(req.env)


def protect(
    app: falcon.App[Any, Any],
    *,
    config_file: str | os.PathLike[str] | None = None,
    config: Any = None,
    **options: Any,
) -> HandsOver:
    """Return the app behind the middleware; serve what is returned.

    A request without a valid token gets a 401 before any resource, and a 503 if its token can't
    be validated. They are raised as `authmw.Refused`, which `app.add_error_handler` may be told
    to handle; by default the answer is the middleware's.

    Middleware that was added before sees such a request first, without an identity. Its answer
    is not used.

    Args:
        app: a Falcon app, of WSGI; a component of middleware is added to it.
        config_file, config, options: as for `authmw.protect`.

    Raises:
        ConfigurationError: an option is wrong.
        TypeError: an option does not exist, a file and an object were given,
            or the app is an ASGI app.
    """
    refuse_asgi(app)
    verify_option_names(options)
    protected = HandsOver(app, find_configuration(options, config_file, config))
    protected.build_filter_parts()
    app.add_middleware(_RaiseRejections())
    return protected
