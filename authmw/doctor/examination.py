"""Runs the checks in order, each as the service itself would do what it checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from authmw.doctor.bundle import check_bundle
from authmw.doctor.caches import check_caches
from authmw.doctor.clients import check_clients
from authmw.doctor.deployment import Deployment
from authmw.doctor.identity import check_identity
from authmw.doctor.issuers import check_issuers
from authmw.doctor.keys import check_keys
from authmw.doctor.options import check_options
from authmw.doctor.result import Result, Results, Status
from authmw.doctor.sources import Source
from authmw.doctor.sync import check_sync
from authmw.doctor.tokens import check_token

T = TypeVar("T")

_GROUPS: tuple[tuple[str, Callable[[Deployment], Results[None]]], ...] = (
    ("identity", check_identity),
    ("caches", check_caches),
    ("keys", check_keys),
    ("bundle", check_bundle),
    ("bundle sync", check_sync),
    ("issuers", check_issuers),
    ("clients", check_clients),
    ("token", check_token),
)


def examine(
    source: Source, *, token: str | None = None, service: str | None = None
) -> Results[None]:
    """Yield the result of each check as soon as it is known.

    Nothing is changed but one entry in each memcached server, which says how this service seals.

    Args:
        source: the configuration.
        token: a client's token, to be validated as the service would; None: none.
        service: URL under which clients reach the service; None: it is not asked.
    """
    deployment = yield from guard("options", check_options(source, token=token, service=service))
    if deployment is None:
        return
    for name, check in _GROUPS:
        yield from guard(name, check(deployment))


def guard(name: str, results: Results[T]) -> Results[T | None]:
    """Yield the results of a group; a fault of ours ends this group alone.

    Args:
        name: of the group, for the result that says so.
        results: of its checks; what they return is returned, None after a fault.
    """
    try:
        return (yield from results)
    except Exception as error:  # noqa: BLE001
        # The exception's text is left out: it may quote a password or a token.
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = "" if where is None else f" in {where.tb_frame.f_code.co_name}:{where.tb_lineno}"
        yield Result(
            name,
            Status.ERROR,
            f"the check itself failed ({type(error).__name__}{line})",
            "please report it; the other checks stand",
        )
        return None
