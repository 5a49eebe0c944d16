"""What stands before the views of Django's admin site: `AdminSite.admin_view`.

By the code that runs, as in the rest of the audit: an attribute may be anybody's.
"""

from __future__ import annotations

import sys
from typing import Any

from authmw.audit.unchecked import closure_of, code_of, name_code
from authmw.decorators.checked import is_check

_SITES = "django.contrib.admin.sites"
_OF_A_SITE = (
    (_SITES, "AdminSite.admin_view.<locals>.inner"),
    (_SITES, "AdminSite.get_urls.<locals>.wrap.<locals>.wrapper"),
)
_OF_A_MODEL = ("django.contrib.admin.options", "ModelAdmin.get_urls.<locals>.wrap.<locals>.wrapper")


def find_site(view: Any) -> Any | None:
    """Return the admin site whose `admin_view` is called with a view; None: there is none."""
    code = code_of(view)
    if code in _OF_A_SITE:
        return closure_of(view)["self"]
    if code == _OF_A_MODEL:
        return closure_of(view)["self"].admin_site
    return None


def judge_site(site: Any) -> str | None:
    """Return why a site does not check each request for a member of the staff; None: it does."""
    of_django: Any = sys.modules[_SITES].AdminSite
    for name in ("admin_view", "has_permission"):
        method = getattr(site, name)
        own = getattr(method, "__func__", None) is not getattr(of_django, name)
        if own and not is_check(method):
            return f"{name_code(method)} decides on it"
    return None
