"""What stands in front of the services, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

PEER_CACHE_SECONDS = 10
PEER_CACHE_DEFAULT_SECONDS = 300
POLL_DEFAULT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Contender:
    """One filter in one mode.

    Attributes:
        is_ours: whether the paste file is changed by the one line.
        options: added to [keystone_authtoken]; may hold {public_keys}.
        revocation_bound_seconds: how late a revoked token is refused at most, by default.
    """

    name: str
    is_ours: bool
    options: str
    revocation_bound_seconds: int


PEER = Contender(
    "peer",
    is_ours=False,
    # Its default of 300 s would make this a run of more than five minutes.
    options=f"token_cache_time = {PEER_CACHE_SECONDS}",
    revocation_bound_seconds=PEER_CACHE_DEFAULT_SECONDS,
)
REMOTE = Contender(
    "remote",
    is_ours=True,
    options="token_validation = remote",
    revocation_bound_seconds=POLL_DEFAULT_SECONDS,
)
OFFLINE = Contender(
    "offline",
    is_ours=True,
    options="jws_public_key_repository = {public_keys}",
    revocation_bound_seconds=POLL_DEFAULT_SECONDS,
)

CONTENDERS = (PEER, REMOTE, OFFLINE)
