"""Tells sites through NATS that a centre has published something new.

A message is a hint to look now and not at the next poll. It is never trusted, and nothing
depends on its arrival.
"""

from authmw.bundle.push.announcer import Announcer, announcing
from authmw.bundle.push.listener import Listener
from authmw.bundle.push.settings import PushSettings, parse_push_settings

__all__ = ["Announcer", "Listener", "PushSettings", "announcing", "parse_push_settings"]
