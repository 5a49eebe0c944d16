"""The set of public keys in use, and which of them to try on a token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from authmw.jose.public_key import PublicKey


class KeySet:
    """The public keys in use, immutable but for the order in which they are tried.

    Args:
        keys: in the order to try them at first: the newest first is best, since the key
            that signs today is more likely among them. Repeated ones are dropped.
        missing: why some keys are not here, if a part of the sources can't be read; a token
            that no key verifies then gets 503, not 401.
    """

    __slots__ = ("_by_algorithm", "_turn", "keys", "missing")

    def __init__(self, keys: Iterable[PublicKey], missing: str | None = None) -> None:
        distinct: dict[tuple[str, str | None], PublicKey] = {}
        for key in keys:
            distinct.setdefault((key.thumbprint, key.kid), key)
        self.keys = tuple(distinct.values())
        self.missing = missing
        by_algorithm: dict[str, tuple[PublicKey, ...]] = {}
        for key in self.keys:
            name = key.algorithm.name
            by_algorithm[name] = (*by_algorithm.get(name, ()), key)
        self._by_algorithm = by_algorithm
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self.keys)

    def holds(self, thumbprint: str) -> bool:
        """Tell whether a key with this thumbprint (RFC 7638) is in use."""
        return any(key.thumbprint == thumbprint for key in self.keys)

    def find_candidates(self, algorithm: str, kid: str | None) -> Sequence[PublicKey]:
        """Return the keys that may have made a signature, the last successful one first.

        A kid narrows the choice only where both sides have one: it is a hint of the signer's
        (RFC 7515 §4.1.4), not a proof, and keys from PEM files have none.
        """
        candidates = self._by_algorithm.get(algorithm, ())
        if kid is None:
            return candidates
        return [key for key in candidates if key.kid is None or key.kid == kid]

    def choose(self, candidates: Sequence[PublicKey], most: int) -> Sequence[PublicKey]:
        """Return those of the candidates to try on one token, `most` at most.

        Where there are more, the last try goes to each of the others in turn: a key that begins
        to sign is found after a few tokens, while strangers' tokens, which nothing verifies,
        never take the tries of the keys in use. A single try is left to the key in use.
        """
        if len(candidates) <= most:
            return candidates
        if most == 1:
            return candidates[:1]
        others = candidates[most - 1 :]
        last = others[self._turn % len(others)]
        self._turn += 1  # no lock: a turn that is lost comes again
        return [*candidates[: most - 1], last]

    def describe_surplus(self, algorithms: Iterable[str], most: int) -> tuple[str, ...]:
        """Say of which algorithms there are more keys than `most` that every token may need.

        Args:
            algorithms: the accepted ones (`jws_accepted_algorithms`).
            most: keys tried for a token (`jws_max_keys`).

        Returns a sentence for each, for the operator. A kid tells keys apart, so those that
        have one don't count.
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
        """Have `key` tried first from now on.

        No lock: the order is replaced whole, and of two threads that do so at once one wins,
        which costs a verification and nothing else.
        """
        name = key.algorithm.name
        order = self._by_algorithm[name]
        if order[0] is not key:
            self._by_algorithm[name] = (key, *(other for other in order if other is not key))
