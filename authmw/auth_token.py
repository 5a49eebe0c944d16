"""A drop-in for `keystonemiddleware.auth_token`: its public names.

Importing this module registers `[keystone_authtoken]` on `oslo_config.cfg.CONF`, as importing
keystonemiddleware's does: services read that group, or name an option of it in `CONF.import_opt`,
before they build a filter. No other module of authmw registers options at import.
"""

from __future__ import annotations

from oslo_config import cfg

from authmw.config.option_reader import register_options
from authmw.config.options import list_opts
from authmw.errors import ConfigurationError, InvalidToken
from authmw.errors import IdentityUnavailable as ServiceError
from authmw.middleware import AuthProtocol, app_factory, filter_factory

__all__ = [
    "AUTH_TOKEN_OPTS",
    "AuthProtocol",
    "ConfigurationError",
    "InvalidToken",
    "ServiceError",
    "app_factory",
    "filter_factory",
    "list_opts",
]

AUTH_TOKEN_OPTS = list_opts()

register_options(cfg.CONF)
