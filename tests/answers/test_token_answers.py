"""Answers about a token: what the shared cache keeps, for how long, and for which requests."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from authmw.answers.entry import TokenEntry
from authmw.answers.source import SharedAnswers
from authmw.answers.tokens import TokenLifetime, TokenSubject
from authmw.cache.digests import KeyMaker, digest_text
from authmw.cache.sealing import EncryptSealing, MacSealing
from authmw.cache.shared import MAX_VALUE_BYTES, SealedNamespace, SharedCache
from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import CacheError, IdentityUnavailable, InvalidToken, Reason
from authmw.identity.token_response import TokenResponse
from authmw.revocation.revocations import NoRevocations
from authmw.token import Token, User
from authmw.token.catalog import ServiceCatalog
from authmw.validation.remote import RemoteValidator
from tests.support.shared_cache import (
    ENDPOINT,
    NOW,
    OTHER_SECRET,
    SECRET,
    DictCache,
    ScriptedSource,
    make_answer,
    make_namespace,
    make_sealings,
    texts_of,
)
from tests.support.token_bodies import CATALOG, EXPIRES_AT

TOKEN = "gAAAAAB-a-token-string"
CACHE_SECONDS = 300
GRACE_SECONDS = 200
SKEW_SECONDS = 5
LIFETIME = TokenLifetime(CACHE_SECONDS, GRACE_SECONDS, CACHE_SECONDS)
OUTAGE = IdentityUnavailable("nobody answers")
REFUSAL = InvalidToken(Reason.NOT_FOUND)


def read(answer: TokenResponse | None = None, **members: Any) -> Token:
    """Return what a filter reads in an answer."""
    told = answer or make_answer(**members)
    return TokenSubject(TOKEN, ExpiryPolicy.REFUSE_EXPIRED, LIFETIME).read(told)


class TokenProcess:
    """One filter's cached source, with a cache that others may share."""

    def __init__(
        self, held: DictCache | None = None, *namespaces: SealedNamespace, **options: Any
    ) -> None:
        self.held = held or DictCache()
        self.source = ScriptedSource(make_answer())
        self.shared = SharedAnswers[Token](
            self.source,
            SharedCache(self.held, namespaces or [make_namespace()]),
            **{
                "include_catalog": True,
                "clock_skew_seconds": SKEW_SECONDS,
                "remember_seconds": CACHE_SECONDS + GRACE_SECONDS,
                **options,
            },
        )

    def ask(self, now: float = NOW, *, token: str = TOKEN, allow_expired: bool = False) -> Token:
        expiry_policy = ExpiryPolicy.ALLOW_EXPIRED if allow_expired else ExpiryPolicy.REFUSE_EXPIRED
        return self.shared.fetch(TokenSubject(token, expiry_policy, LIFETIME), now)

    def answers(self, outcome: TokenResponse | Exception) -> None:
        self.source.outcome = outcome

    @property
    def questions(self) -> int:
        return len(self.source.questions)


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "authmw")


@pytest.mark.parametrize("sealing", make_sealings())
@pytest.mark.parametrize("services", [None, CATALOG])
def test_second_process_gets_the_answer_the_first_one_fetched(
    sealing: str, services: list[Any] | None
) -> None:
    held = DictCache()
    namespace = make_namespace(make_sealings()[sealing])
    first, second = TokenProcess(held, namespace), TokenProcess(held, namespace)
    catalog = None if services is None else ServiceCatalog.from_services(services)
    first.answers(make_answer(catalog=catalog))
    assert first.ask() == second.ask() == read(catalog=catalog)
    assert (first.questions, second.questions) == (1, 0)


def test_answer_is_fresh_for_the_cache_time_and_not_a_second_longer() -> None:
    process = TokenProcess()
    process.ask()
    process.ask(NOW + CACHE_SECONDS - 1)
    assert process.questions == 1
    process.answers(make_answer(answered_at=NOW + CACHE_SECONDS))
    later = read(answered_at=NOW + CACHE_SECONDS)
    assert process.ask(NOW + CACHE_SECONDS) == later
    assert process.ask(NOW + CACHE_SECONDS + 1) == later
    assert process.questions == 2


def test_in_an_outage_an_older_answer_is_used_within_the_grace_time() -> None:
    process = TokenProcess()
    process.ask()
    process.answers(OUTAGE)
    assert process.ask(NOW + CACHE_SECONDS + GRACE_SECONDS - 1) == read()
    assert process.questions == 2, "asked first"
    with pytest.raises(IdentityUnavailable, match="nobody answers"):
        process.ask(NOW + CACHE_SECONDS + GRACE_SECONDS)


def test_refused_token_is_forgotten_and_no_outage_brings_it_back() -> None:
    process = TokenProcess()
    process.ask()
    process.answers(REFUSAL)
    with pytest.raises(InvalidToken):
        process.ask(NOW + CACHE_SECONDS)
    assert process.held.values == {}
    process.answers(OUTAGE)
    with pytest.raises(IdentityUnavailable):
        process.ask(NOW + CACHE_SECONDS)


def test_refusal_is_not_remembered() -> None:
    process = TokenProcess()
    process.answers(REFUSAL)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            process.ask()
    assert (process.questions, process.held.values) == (2, {})


def test_answer_never_outlives_its_token() -> None:
    process = TokenProcess()
    late = EXPIRES_AT - 10
    process.answers(make_answer(answered_at=late))
    process.ask(late)
    assert list(process.held.ttls.values()) == [10]
    process.ask(EXPIRES_AT - 0.5)
    assert process.questions == 1
    # A cache that keeps things for too long, and an outage, change nothing.
    process.answers(OUTAGE)
    with pytest.raises(InvalidToken, match="expired"):
        RemoteValidator(process.shared, LIFETIME, NoRevocations()).validate(
            TOKEN, ExpiryPolicy.REFUSE_EXPIRED, EXPIRES_AT, None
        )


@pytest.mark.parametrize("left_seconds", [0.9, 0, -1, -100_000])
def test_token_about_to_expire_is_not_kept_for_ever(left_seconds: float) -> None:
    """A time to live of 0 means just that to memcached."""
    process = TokenProcess()
    process.ask(EXPIRES_AT - left_seconds)
    assert process.held.values == {}


def test_answer_that_is_no_token_body_is_an_outage_and_not_kept() -> None:
    process = TokenProcess()
    process.answers(make_answer(user="nobody"))
    with pytest.raises(IdentityUnavailable, match="'user' is not an object"):
        process.ask()
    assert process.held.values == {}


def test_entry_that_is_no_token_body_has_the_endpoint_asked() -> None:
    """Who can write to an unsealed cache must not keep a token from working."""
    process = TokenProcess()
    process.ask()
    (key,) = process.held.values
    entry = TokenEntry(make_answer(user="nobody"), catalog_requested=True)
    process.held.values[key] = make_namespace().seal(key, entry.to_bytes())
    validator = RemoteValidator(process.shared, LIFETIME, NoRevocations())
    validated = validator.validate(TOKEN, ExpiryPolicy.REFUSE_EXPIRED, NOW, None)
    assert validated.to_token_info()["token"] == make_answer().body
    assert process.questions == 2
    process.held.values.clear()
    process.answers(make_answer(user="nobody"))
    with pytest.raises(IdentityUnavailable, match="'user' is not an object but str"):
        validator.validate(TOKEN, ExpiryPolicy.REFUSE_EXPIRED, NOW, None)


@pytest.mark.parametrize("expires_at", [..., None, 5, "", "tomorrow", "9999999-01-01T00:00:00Z"])
def test_answer_without_a_proper_expiry_is_an_outage_and_not_kept(expires_at: object) -> None:
    process = TokenProcess()
    process.answers(make_answer(expires_at=expires_at))
    with pytest.raises(IdentityUnavailable, match="can't be read"):
        process.ask()
    assert process.held.values == {}


def test_expiry_without_a_zone_is_utc() -> None:
    process = TokenProcess()
    process.answers(make_answer(expires_at="2023-11-14T22:15:20"))  # ISSUED_AT + 120
    process.ask()
    assert list(process.held.ttls.values()) == [60]


def test_time_to_live_covers_cache_time_and_grace() -> None:
    process = TokenProcess()
    process.ask()
    assert list(process.held.ttls.values()) == [CACHE_SECONDS + GRACE_SECONDS]
    process.answers(make_answer(answered_at=EXPIRES_AT))
    process.ask(EXPIRES_AT, allow_expired=True)
    assert list(process.held.ttls.values()) == [CACHE_SECONDS]


def test_what_allow_expired_got_of_a_token_that_has_not_expired_serves_everybody() -> None:
    """The endpoint said the same as it would have said without `allow_expired`."""
    process = TokenProcess()
    process.ask(allow_expired=True)
    process.ask()
    assert process.source.questions == [(TOKEN, True)]


def test_what_allow_expired_got_serves_only_those_who_may_ask_for_it() -> None:
    process = TokenProcess()
    after = EXPIRES_AT + 10
    process.answers(make_answer(answered_at=after))
    process.ask(after, allow_expired=True)
    process.ask(after, allow_expired=True)
    assert process.source.questions == [(TOKEN, True)]
    # Nobody is asked: it has expired, which is all there is to say at full expiry_policy.
    with pytest.raises(InvalidToken, match="expired"):
        RemoteValidator(process.shared, LIFETIME, NoRevocations()).validate(
            TOKEN, ExpiryPolicy.REFUSE_EXPIRED, after, None
        )
    assert process.questions == 1


def test_what_was_known_before_the_expiry_says_nothing_of_the_time_after_it() -> None:
    process = TokenProcess()
    late = EXPIRES_AT - 10
    process.answers(make_answer(answered_at=late))
    process.ask(late, allow_expired=True)
    process.answers(REFUSAL)
    with pytest.raises(InvalidToken):
        process.ask(EXPIRES_AT, allow_expired=True)
    assert process.questions == 2


def test_in_an_outage_what_is_known_at_full_strength_serves_those_who_may_use_it_expired() -> None:
    """A service that sends a token of its own along must not be worse off for it."""
    process = TokenProcess()
    process.ask()
    process.answers(OUTAGE)
    last = NOW + CACHE_SECONDS + GRACE_SECONDS - 1
    assert process.ask(last, allow_expired=True) == read()
    for after in (last + 1, EXPIRES_AT):
        with pytest.raises(IdentityUnavailable):
            process.ask(after, allow_expired=True)


def test_what_allow_expired_got_has_no_grace() -> None:
    process = TokenProcess()
    process.answers(make_answer(answered_at=EXPIRES_AT))
    process.ask(EXPIRES_AT, allow_expired=True)
    process.answers(OUTAGE)
    with pytest.raises(IdentityUnavailable):
        process.ask(EXPIRES_AT + CACHE_SECONDS, allow_expired=True)


def test_token_refused_even_though_expiry_was_allowed_is_forgotten_altogether() -> None:
    process = TokenProcess()
    process.ask()
    process.answers(REFUSAL)
    with pytest.raises(InvalidToken):
        process.ask(NOW + CACHE_SECONDS, allow_expired=True)
    assert process.held.values == {}


@pytest.mark.parametrize("sealing", make_sealings())
def test_an_entry_put_back_after_a_refusal_is_no_news(sealing: str) -> None:
    """A seal says who wrote an entry, not that it is the latest."""
    process = TokenProcess(None, make_namespace(make_sealings()[sealing]))
    process.ask()
    before = dict(process.held.values)
    process.answers(REFUSAL)
    with pytest.raises(InvalidToken):
        process.ask(NOW + CACHE_SECONDS)
    process.held.values.update(before)
    with pytest.raises(InvalidToken):
        process.ask(NOW + 10)  # as if it were fresh
    process.held.values.update(before)
    process.answers(OUTAGE)
    with pytest.raises(IdentityUnavailable):
        process.ask(NOW + CACHE_SECONDS)
    # A newer answer counts again.
    later = NOW + CACHE_SECONDS + 1
    process.answers(make_answer(answered_at=later))
    assert process.ask(later) == process.ask(later) == read(answered_at=later)


def test_an_entry_put_back_does_not_replace_what_is_known_in_an_outage() -> None:
    """Nor does one on a server that was away while the newer one was written elsewhere."""
    process = TokenProcess()
    validator = RemoteValidator(process.shared, LIFETIME, NoRevocations())
    process.answers(make_answer(roles=[{"id": "r1", "name": "admin"}]))
    validator.validate(TOKEN, ExpiryPolicy.REFUSE_EXPIRED, NOW, None)
    before = dict(process.held.values)
    process.held.values.clear()
    later = NOW + 100
    process.answers(make_answer(answered_at=later, roles=[{"id": "r2", "name": "reader"}]))
    known = validator.validate(TOKEN, ExpiryPolicy.REFUSE_EXPIRED, later, None)
    process.held.values.update(before)
    process.answers(OUTAGE)
    found = validator.validate(TOKEN, ExpiryPolicy.REFUSE_EXPIRED, later + CACHE_SECONDS, known)
    assert found.principal == known.principal


def test_answer_from_the_future_is_not_believed() -> None:
    process = TokenProcess()
    process.answers(make_answer(answered_at=NOW + SKEW_SECONDS + 1))
    process.ask()
    process.ask()
    assert process.questions == 2
    process.answers(make_answer(answered_at=NOW + SKEW_SECONDS))
    process.ask()
    process.ask()
    assert process.questions == 3


def test_filter_with_catalog_does_not_take_an_answer_without_one() -> None:
    held = DictCache()
    without, including = TokenProcess(held, include_catalog=False), TokenProcess(held)
    catalog = ServiceCatalog.from_services(CATALOG)
    including.answers(make_answer(catalog=catalog))
    without.ask()
    assert including.ask().catalog is catalog
    # What has the catalog serves both, so that the two don't overwrite each other for ever.
    assert without.ask().catalog is None
    assert including.ask().catalog is catalog
    assert (without.questions, including.questions) == (1, 1)


def test_tokens_do_not_meet() -> None:
    process = TokenProcess()
    process.ask()
    process.answers(make_answer(user={"id": "u2", "name": "Eve"}))
    assert process.ask(token=TOKEN + "x").user == User("u2", "Eve")
    assert process.ask() == read()


def test_identity_endpoints_do_not_meet() -> None:
    held = DictCache()
    one = TokenProcess(held)
    sealing = make_namespace().sealing
    other = TokenProcess(
        held, SealedNamespace(KeyMaker("https://other.example/v3", None, sealing), sealing)
    )
    one.ask()
    other.ask()
    assert other.questions == 1


@pytest.mark.parametrize("sealing", make_sealings())
def test_entry_of_another_token_under_this_key_is_a_miss(sealing: str) -> None:
    """Whoever mixes up answers (CVE-2014-0105) or moves entries gains nothing."""
    process = TokenProcess(None, make_namespace(make_sealings()[sealing]))
    eve = make_answer(user={"id": "u2", "name": "Eve"})
    process.answers(eve)
    process.ask(token="another")
    (moved,) = process.held.values.values()
    process.answers(make_answer())
    process.ask()
    for key in process.held.values:
        process.held.values[key] = moved
    assert process.ask() == read()
    assert process.questions == 3


@pytest.mark.parametrize("sealing", make_sealings())
def test_no_token_is_kept_in_clear_and_with_encrypt_no_name(sealing: str) -> None:
    process = TokenProcess(None, make_namespace(make_sealings()[sealing], SECRET))
    process.answers(make_answer(catalog=ServiceCatalog.from_services(CATALOG)))
    process.ask()
    kept = texts_of(process.held.values)
    for secret in (TOKEN, digest_text(TOKEN).hex()):
        assert secret.encode() not in kept
    assert (b"Ada" in kept) == (sealing != "ENCRYPT")


@pytest.mark.parametrize("kind", [MacSealing, EncryptSealing])
def test_secret_is_rotated_without_a_cold_cache(
    kind: type[MacSealing] | type[EncryptSealing],
) -> None:
    old, new = (
        make_namespace(kind(OTHER_SECRET), OTHER_SECRET),
        make_namespace(kind(SECRET), SECRET),
    )
    held = DictCache()
    before, during, after = (
        TokenProcess(held, old),
        TokenProcess(held, new, old),
        TokenProcess(held, new),
    )
    before.ask()
    assert during.ask() == read()
    assert during.questions == 0, "read with the old secret"
    during.ask(NOW + CACHE_SECONDS)
    after.answers(OUTAGE)
    assert after.ask(NOW + 1) == read(), "written with the new one"
    during.answers(REFUSAL)
    with pytest.raises(InvalidToken):
        during.ask(NOW + CACHE_SECONDS)
    assert held.values == {}, "forgotten under both"


def test_those_who_seal_in_another_way_are_not_in_each_others_way(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While a deployment changes from one to the other, both keep what they know."""
    held = DictCache()
    processes = [
        TokenProcess(held, make_namespace(sealing, SECRET))
        for sealing in (MacSealing(SECRET), EncryptSealing(SECRET))
    ]
    for process in processes * 2:
        process.ask()
    assert [process.questions for process in processes] == [1, 1]
    assert caplog.text == ""


def test_entry_put_in_the_place_of_one_sealed_in_another_way_is_a_miss_and_written_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held = DictCache()
    TokenProcess(held, make_namespace(MacSealing(SECRET), SECRET)).ask()
    (foreign,) = held.values.values()
    process = TokenProcess(held, make_namespace(EncryptSealing(SECRET), SECRET))
    process.ask()
    held.values = dict.fromkeys(held.values, foreign)
    process.ask()
    process.ask()
    assert process.questions == 2
    assert "sealed in another way" in caplog.text


def test_faults_of_the_cache_cost_nothing_but_time(caplog: pytest.LogCaptureFixture) -> None:
    process = TokenProcess()
    process.held.fault = CacheError("memcached is on fire")
    for _ in range(50):
        assert process.ask() == read()
    process.answers(REFUSAL)
    with pytest.raises(InvalidToken):
        process.ask()
    assert process.questions == 51
    assert [record.getMessage() for record in caplog.records] == [
        "The shared cache is at fault, requests go on without it: memcached is on fire"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_cache_that_did_not_answer_is_not_asked_again_by_the_same_request() -> None:
    """One request waits for one time-out."""

    class Counting(DictCache):
        uses = 0

        def _fail(self) -> None:
            self.uses += 1
            raise CacheError("no answer in time")

    held = Counting()
    process = TokenProcess(held)
    process.ask()
    assert held.uses == 1
    process.answers(REFUSAL)
    with pytest.raises(InvalidToken):
        process.ask(allow_expired=True)
    assert held.uses == 2


def test_answer_too_large_for_the_cache_is_not_kept_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    process = TokenProcess()
    large = make_answer(roles=[{"id": "r", "name": "x" * MAX_VALUE_BYTES}])
    process.answers(large)
    for _ in range(3):
        assert process.ask() == read(large)
    assert process.held.values == {}
    (record,) = caplog.records
    assert f"more than {MAX_VALUE_BYTES} don't fit" in record.getMessage()


def test_catalog_larger_than_the_cache_takes_fits_compressed() -> None:
    services = [{**service, "id": str(n)} for n in range(2000) for service in CATALOG]
    catalog = ServiceCatalog.from_services(services)
    assert len(catalog.text) > MAX_VALUE_BYTES
    process = TokenProcess()
    process.answers(make_answer(catalog=catalog))
    assert process.ask() == process.ask()
    assert process.questions == 1


@pytest.mark.parametrize("sealing", make_sealings())
@pytest.mark.parametrize("garbage", [b"", b"\0", b"aw-0", b"aw-M", b"aw-E", b"x" * 100_000])
def test_garbage_in_the_cache_is_a_miss(
    sealing: str, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    process = TokenProcess(None, make_namespace(make_sealings()[sealing]))
    process.ask()
    for key in process.held.values:
        process.held.values[key] = garbage
    assert process.ask() == read()
    assert process.questions == 2
    assert "The shared cache is at fault" in caplog.text


def test_well_sealed_entry_of_odd_content_is_a_miss() -> None:
    process = TokenProcess(None, make_namespace(MacSealing(SECRET), SECRET))
    process.ask()
    (key,) = process.held.values
    for content in (b"", b"{}", b"[]\n", b"\xff\n", b'{"version":1}\n'):
        sealed = MacSealing(SECRET).seal(key, key.encode() + b"\n" + content)
        process.held.values[key] = sealed
        asked = process.questions
        assert process.ask() == read()
        assert process.questions == asked + 1


def test_answer_keeps_its_age_on_the_way_through_the_cache() -> None:
    process = TokenProcess()
    process.ask()
    assert process.ask(NOW + 100).answered_at == NOW
    assert process.ask(NOW + 100) == read()


def test_url_of_the_endpoint_is_not_in_the_cache() -> None:
    process = TokenProcess()
    process.ask()
    assert ENDPOINT.encode() not in texts_of(process.held.values)
