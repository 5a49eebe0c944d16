"""The shared cache in an eventlet service whose requests are killed at any moment.

That is how CVE-2014-0105 came about: a greenlet was killed between question and answer, its
connection went back to the pool, and the next request got the answer of the one before.
"""

from __future__ import annotations

from tests.support.memcached import Memcached
from tests.support.programs import run_python

SERVICE = """
import random, sys, warnings
import eventlet
eventlet.monkey_patch()
from authmw.cache.memcached import open_memcached
from authmw.errors import CacheError
from tests.support.memcached_kinds import make_settings

options = {"memcache_pool_maxsize": "4", "memcache_pool_socket_timeout": "30"}
cache = open_memcached(make_settings(memcached_servers=sys.argv[1], **options))
keys = {f"authmw:{number:064x}": bytes([number]) * 200_000 for number in range(8)}
for key, value in keys.items():
    cache.set(key, value, 300)
counts = {"right": 0, "killed": 0, "fault": 0, "wrong": 0}

def serve(number):
    chance = random.Random(number)
    for _ in range(20):
        key = chance.choice(list(keys))
        try:
            with eventlet.Timeout(chance.uniform(0.0001, 0.02)):
                counts["right" if cache.get(key) == keys[key] else "wrong"] += 1
        except eventlet.Timeout:
            counts["killed"] += 1
        except CacheError:
            counts["fault"] += 1

pool = eventlet.GreenPool(64)
for number in range(64):
    pool.spawn(serve, number)
pool.waitall()
# The pool is as large as it was.
for key, value in keys.items():
    assert cache.get(key) == value
print(counts["wrong"], counts["fault"], counts["right"] > 0, counts["killed"] > 0)
"""


def test_killed_greenlets_leave_no_answer_behind_for_others(empty_memcached: Memcached) -> None:
    finished = run_python("-c", SERVICE, empty_memcached.address, timeout=100)
    assert finished.stdout.split() == ["0", "0", "True", "True"], finished.stderr
