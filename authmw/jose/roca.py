"""Recognizes RSA moduli that one vendor's chips generated (ROCA, CVE-2017-15361).

M. Nemec, M. Sys, P. Svenda, D. Klinec, V. Matyas: "The Return of Coppersmith's Attack", CCS
2017, §2 and §3: both primes of such a key are `k * M + (65537 ** a mod M)`, where M is the
product of the first primes, at least 39 of them. So the modulus is a power of 65537 modulo
each of these primes, and its factors can be computed from it.
"""

from __future__ import annotations

import functools

_PRIMES = (
    *(2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71),
    *(73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167),
)


def has_roca_fingerprint(modulus: int) -> bool:
    """Tell whether an RSA modulus has the fingerprint of those chips.

    By chance one in 2 ** 27 of other moduli has it.
    """
    return all(modulus % prime in powers for prime, powers in _powers_of_65537())


@functools.cache
def _powers_of_65537() -> tuple[tuple[int, frozenset[int]], ...]:
    """Return each prime with the residues of the powers of 65537 modulo it."""
    return tuple(
        (prime, frozenset(pow(65537, exponent, prime) for exponent in range(prime)))
        for prime in _PRIMES
    )
