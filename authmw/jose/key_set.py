"""The public keys in use, in the order in which they are tried on a token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from authmw.jose.public_key import PublicKey


class KeySet:
    """The public keys in use, immutable but for the order in which they are tried.

    Args:
        keys: in the order to try them at first: newest first, since the key that signs today is
            likely the newest. Repeated ones are dropped.
        missing: why some keys are missing, if one of several sources can't be read; a token that
            no key verifies then gets 503, not 401.
    """

    __slots__ = ("_by_algorithm", "_by_kid", "_thumbprints", "_turn", "keys", "missing")

    def __init__(self, keys: Iterable[PublicKey], missing: str | None = None) -> None:
        distinct: dict[tuple[str, str, str | None], PublicKey] = {}
        for key in keys:
            distinct.setdefault((key.algorithm.name, key.thumbprint, key.kid), key)
        self.keys = tuple(distinct.values())
        self.missing = missing
        self._thumbprints = frozenset(key.thumbprint for key in self.keys)
        by_algorithm: dict[str, list[PublicKey]] = {}
        by_kid: dict[tuple[str, str | None], list[PublicKey]] = {}
        for key in self.keys:
            by_algorithm.setdefault(key.algorithm.name, []).append(key)
            by_kid.setdefault((key.algorithm.name, key.kid), []).append(key)
        self._by_algorithm = {name: tuple(found) for name, found in by_algorithm.items()}
        self._by_kid = {name: tuple(found) for name, found in by_kid.items()}
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self.keys)

    def holds(self, thumbprint: str) -> bool:
        """Tell whether a key with this thumbprint (RFC 7638) is in use."""
        return thumbprint in self._thumbprints

    def find_candidates(self, algorithm: str, kid: str | None) -> Sequence[PublicKey]:
        """Return the keys that may verify a signature, the last successful one first.

        A kid narrows the choice only if both token and key have one: it is a hint (RFC 7515
        §4.1.4), and keys from PEM files have none. Keys with the token's kid come before those
        without one.
        """
        if kid is None:
            return self._by_algorithm.get(algorithm, ())
        by_kid = self._by_kid
        return by_kid.get((algorithm, kid), ()) + by_kid.get((algorithm, None), ())

    def choose(self, algorithm: str, kid: str | None, most: int) -> Sequence[PublicKey]:
        """Return the candidates to try on one token, `most` at most.

        If there are more, the last try goes to each of the others in turn. So a key that begins to
        sign is found after a few tokens, and strangers' tokens, which no key verifies, never take
        the tries of the keys in use. If `most` is 1, the key in use has the only try.
        """
        candidates = (
            self._by_algorithm.get(algorithm, ())
            if kid is None
            else self.find_candidates(algorithm, kid)
        )
        if len(candidates) <= most:
            return candidates
        if most == 1:
            return candidates[:1]
        turn = self._turn % (len(candidates) - most + 1)
        self._turn += 1  # no lock: a turn that a race loses comes again
        return [*candidates[: most - 1], candidates[most - 1 + turn]]

    def describe_surplus(self, algorithms: Iterable[str], most: int) -> tuple[str, ...]:
        """Describe, for the operator, each algorithm with more than `most` keys without a kid.

        Args:
            algorithms: the accepted ones (`jws_accepted_algorithms`).
            most: keys tried for a token (`jws_max_keys`).

        Keys with a kid don't count: a token's kid tells them apart.

        Returns:
            a sentence for each such algorithm.
        """
        counts = Counter(key.algorithm.name for key in self.keys if key.kid is None)
        return tuple(
            f"there are {counts[name]} {name} keys without a kid, and jws_max_keys = {most} are "
            "tried for a token: tokens of the others may be refused; remove the keys that no "
            f"longer sign, or set jws_max_keys = {counts[name]}"
            for name in sorted(algorithms)
            if counts[name] > most
        )

    def try_first(self, key: PublicKey) -> None:
        """Try `key` before the other candidates from now on.

        No lock: an order is replaced as a whole, and of two threads that do so at once one wins,
        which costs a verification and nothing else.
        """
        name = key.algorithm.name
        self._by_algorithm[name] = _move_to_front(key, self._by_algorithm[name])
        group = (name, key.kid)
        self._by_kid[group] = _move_to_front(key, self._by_kid[group])


def _move_to_front(key: PublicKey, order: tuple[PublicKey, ...]) -> tuple[PublicKey, ...]:
    return order if order[0] is key else (key, *(other for other in order if other is not key))
