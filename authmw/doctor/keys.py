"""Checks the public keys of Keystone's signed tokens."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from authmw.build.offline import make_key_readers, make_verifier
from authmw.config.settings import KEY_SOURCES, Settings, Validation
from authmw.doctor.deployment import Deployment, show
from authmw.doctor.reasons import explain_refusal
from authmw.doctor.result import Result, Results, failed, passed, skipped, warned
from authmw.doctor.times import describe_span
from authmw.errors import IdentityUnavailable, InvalidToken, KeysUnreadable
from authmw.jose.key_set import KeySet
from authmw.jose.public_key import PublicKey
from authmw.keys.source import FoundKeys, KeyReader


@dataclass(frozen=True, slots=True)
class KeyFault:
    """One fault among the keys that were found.

    Attributes:
        is_fatal: no signed token can be verified, or a secret has leaked.
    """

    cause: str
    fix: str
    is_fatal: bool = False


def find_key_faults(found: FoundKeys, accepted: Sequence[str], max_keys: int) -> list[KeyFault]:
    """Return what is wrong with the keys of a source.

    Args:
        found: by one reading.
        accepted: jws_accepted_algorithms.
        max_keys: jws_max_keys.
    """
    faults = [
        KeyFault(
            f"{skipped.source} is not used: {skipped.reason}",
            "take it out of the directory, keep it secret, and make a new key pair"
            if skipped.is_private
            else "correct it, or take it out of the directory",
            is_fatal=skipped.is_private,
        )
        for skipped in found.skipped
    ]
    faults += [
        KeyFault(warning, "chown it to root, and chmod g-w,o-w") for warning in found.warnings
    ]
    used = [key for key in found.keys if key.algorithm.name in accepted]
    faults += [
        KeyFault(
            f"{key.source} is not used: {key.algorithm.name} is not in jws_accepted_algorithms",
            f"add {key.algorithm.name} to jws_accepted_algorithms, or take the key out",
        )
        for key in found.keys
        if key not in used
    ]
    faults += [
        KeyFault(surplus, "take out keys that sign no more, or raise jws_max_keys")
        for surplus in KeySet(used).describe_surplus(accepted, max_keys)
    ]
    if not used:
        others = dict.fromkeys(key.algorithm.name for key in found.keys)
        fix = "copy Keystone's public keys there ([jwt_tokens] jws_public_key_repository)"
        faults.append(
            KeyFault(
                "there is no usable public key: every signed token would get 503",
                f"add {', '.join(others)} to jws_accepted_algorithms, or {fix}" if others else fix,
                is_fatal=True,
            )
        )
    return sorted(faults, key=lambda fault: not fault.is_fatal)


def check_keys(deployment: Deployment) -> Results[None]:
    """Check each source of keys, and that they verify a token of our own."""
    settings = deployment.settings
    if not settings.has_key_source or settings.token_validation is Validation.REMOTE:
        yield skipped("keys", f"neither {' nor '.join(KEY_SOURCES)} is used: no token is verified")
        return
    keys: list[PublicKey] = []
    for reader in make_key_readers(settings):
        found = yield from _check_source(reader, settings, deployment.clock())
        if found is not None:
            keys += found.keys
    yield _check_own_token(deployment, KeySet(keys))


def _check_source(reader: KeyReader, settings: Settings, now: float) -> Results[FoundKeys | None]:
    check = f"keys {reader.option}"
    where = show(reader.location) if "://" in reader.location else reader.location
    try:
        found = reader.read(now)
    except KeysUnreadable as error:
        yield failed(
            check,
            f"{where} {error}",
            "correct the option, and let root own the directory, writable for nobody else"
            if "://" not in reader.location
            else "correct the URI, or the server that answers there",
        )
        return None
    faults = find_key_faults(found, settings.jws_accepted_algorithms, settings.jws_max_keys)
    for fault in faults:
        make = failed if fault.is_fatal else warned
        yield make(check, f"{where}: {fault.cause}", fault.fix)
    if not faults:
        yield passed(check, f"{where}: {_describe(found, reader.location)}")
    return found


def _describe(found: FoundKeys, location: str) -> str:
    counts = Counter(key.algorithm.name for key in found.keys)
    parts = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    times = []
    for source in {key.source for key in found.keys}:
        try:
            times.append(os.stat(os.path.join(location, source)).st_mtime)
        except (OSError, ValueError):
            continue  # of a URI, or gone by now
    newest = (
        f", the newest is {describe_span(max(0, int(time.time() - max(times))))} old"
        if times
        else ""
    )
    return f"{parts}{newest}"


@dataclass(frozen=True, slots=True)
class _ReadOnce:
    """Keys that were read a moment ago; see `VerificationKeys`."""

    keys: KeySet

    def current(self, now: float) -> KeySet:  # noqa: ARG002
        """Return the keys."""
        return self.keys

    def reload_early(self, now: float) -> KeySet | None:  # noqa: ARG002
        """Return nothing newer."""
        return None


def _check_own_token(deployment: Deployment, keys: KeySet) -> Result:
    """Verify the token that we have just logged in for."""
    check = "keys verify a token"
    token = None if deployment.own is None else deployment.own.auth_token
    if token is None:
        return skipped(check, "there is no token of our own")
    if "." not in token:
        return skipped(
            check, "Keystone's tokens are not signed ([token] provider is not jws): none to verify"
        )
    if not keys:
        return skipped(check, "there are no keys")
    verifier = make_verifier(deployment.settings, _ReadOnce(keys))
    try:
        verified = verifier.verify(token, deployment.clock())
    except InvalidToken as refusal:
        return explain_refusal(
            check, "our own token, just issued,", refusal, deployment.settings, deployment.clock()
        )
    except IdentityUnavailable as error:
        return failed(check, error.detail, "copy Keystone's public keys there")
    return passed(
        check, f"{verified.key.source} verifies our own token ({verified.key.thumbprint})"
    )
