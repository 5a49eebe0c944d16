"""The fields of a log record about one request, for `extra` of `logging`.

Their names collide with no attribute of a `LogRecord`. What a client sent is cut, and made
printable.

oslo.log shows the request and the user of the context that oslo.context keeps for the thread. When
a decision is made, that may be the context of the last request that the thread has served: the
service makes its own later, and many leave it behind. So where oslo.context is loaded, a record
brings a context of its own, as a dictionary, which takes precedence there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from authmw.runtime.printable import printable
from authmw.token import Token

_LONGEST_PATH: Final = 200
_LONGEST_ID: Final = 64
# A request id of oslo.middleware, or of a service in front.
_LONGEST_REQUEST_ID: Final = 80
_OSLO_CONTEXT: Final = "oslo_context.context"


def describe_decision(
    environ: Mapping[str, Any],
    *,
    reason: str,
    fingerprint: str | None = None,
    token: Token | None = None,
    audit_id: str | None = None,
    user_id: str | None = None,
    is_accepted: bool = False,
) -> dict[str, object]:
    """Return what a record of a decision says beside its message.

    Args:
        environ: of the request (PEP 3333).
        reason: a word for why it was decided so.
        fingerprint: of the token that decided; None: there was none.
        token: that decided; None: it is not known.
        audit_id, user_id: of a token that is not known further.
        is_accepted: whether `token` is the caller's, and good.
    """
    if token is not None:
        audit_id, user_id = token.audit_id, token.principal.user.id
    fields: dict[str, object] = {
        "request_id": find_request_id(environ),
        "method": _cut(environ.get("REQUEST_METHOD"), _LONGEST_ID),
        "path": _cut(_read_path(environ), _LONGEST_PATH),
        "peer": _cut(environ.get("REMOTE_ADDR"), _LONGEST_ID),
        "fingerprint": fingerprint,
        "audit_id": _cut(audit_id, _LONGEST_ID),
        "user_id": _cut(user_id, _LONGEST_ID),
        "reason": reason,
    }
    if _OSLO_CONTEXT in sys.modules:
        # oslo.log's JSON and fluentd formatters write the fields that this names.
        fields["extra_keys"] = sorted(fields)
        fields["context"] = _make_context(environ, token if is_accepted else None)
    return fields


def find_request_id(environ: Mapping[str, Any]) -> str | None:
    """Return the id of a request: oslo.middleware's, else what the client calls it, if anything."""
    found = environ.get("openstack.request_id") or environ.get("HTTP_X_OPENSTACK_REQUEST_ID")
    return _cut(found, _LONGEST_REQUEST_ID)


def _read_path(environ: Mapping[str, Any]) -> str:
    # A WSGI string has a character for each byte (PEP 3333, "Unicode Issues").
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _cut(text: object, longest: int) -> str | None:
    return None if text is None else printable(str(text), longest)


def _make_context(environ: Mapping[str, Any], caller: Token | None) -> dict[str, object]:
    """Return the values that a context of oslo.context has for a log, all of them.

    A format of the operator may name any, and a line without one of them would be lost.
    """
    context: dict[str, object] = dict.fromkeys(_CONTEXT_VALUES)
    context["request_id"] = find_request_id(environ)
    context["global_request_id"] = _cut(
        environ.get("openstack.global_request_id"), _LONGEST_REQUEST_ID
    )
    context["roles"] = []
    if caller is not None:
        who = caller.principal
        context["user"], context["user_name"] = who.user.id, who.user.name
        context["user_domain"], context["user_domain_name"] = (
            who.user.domain_id,
            who.user.domain_name,
        )
        context["project"] = context["project_id"] = who.project_id
        context["project_name"] = who.project_name
        context["project_domain"] = who.project_domain_id
        context["project_domain_name"] = who.project_domain_name
        context["domain"], context["domain_name"] = who.domain_id, who.domain_name
        context["system_scope"] = who.system_scope
        context["roles"] = list(who.role_names)
    names = ("user", "project_id", "domain", "user_domain", "project_domain")
    context["user_identity"] = " ".join(str(context[name] or "-") for name in names)
    return context


_CONTEXT_VALUES: Final = (
    "auth_token",
    "domain",
    "domain_name",
    "global_request_id",
    "is_admin",
    "is_admin_project",
    "project",
    "project_domain",
    "project_domain_name",
    "project_id",
    "project_name",
    "read_only",
    "request_id",
    "resource_uuid",
    "roles",
    "show_deleted",
    "system_scope",
    "user",
    "user_domain",
    "user_domain_name",
    "user_identity",
    "user_name",
)
