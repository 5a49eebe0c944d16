"""What a server is told to load: the service behind a filter that has a configuration file.

All is made when the module is loaded: with a pre-forking server that is before the fork.
"""

from __future__ import annotations

import logging
import os

import authmw
from tests.system.servers.hosted_service import CONF_VARIABLE, tell_who_called

logging.basicConfig(format="%(process)d %(levelname)s %(name)s %(message)s", level=logging.INFO)
application = authmw.AuthMiddleware(
    tell_who_called,
    {"oslo_config_project": "hosted", "oslo_config_file": os.environ[CONF_VARIABLE]},
)
