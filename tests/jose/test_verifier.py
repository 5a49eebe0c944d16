"""Which keys are tried, in which order, and how many of them."""

from __future__ import annotations

import logging

import pytest
from oslo_config import cfg

from authmw.config.loading import load_settings
from authmw.config.settings import Settings
from authmw.errors import ConfigurationError, IdentityUnavailable, InvalidToken
from authmw.jose.algorithms import ALGORITHMS
from authmw.jose.key_set import KeySet
from tests.support.signing import NOW, Counter, HeldKeys, public_key, sign, verifier

BAD_SIGNATURE = "bad_signature: no public key verifies the signature"


def keys(count: int, counter: Counter, *, start: int = 0) -> KeySet:
    return KeySet(counter.watch(public_key("ES256", n)) for n in range(start, start + count))


def test_only_keys_of_the_tokens_algorithm_are_tried() -> None:
    counter = Counter()
    every = [counter.watch(public_key(algorithm)) for algorithm in ALGORITHMS]
    verifier(*every).verify(sign(algorithm="ES512"), NOW)
    assert counter.tried == ["ES512-0"]


def test_no_more_than_max_keys_are_tried() -> None:
    counter = Counter()
    source = HeldKeys(keys(5, counter))
    by = verifier(source=source, max_keys=3)
    with pytest.raises(InvalidToken, match=BAD_SIGNATURE):
        by.verify(sign(number=9), NOW)
    assert counter.tried == ["ES256-0", "ES256-1", "ES256-2"]


def test_of_too_many_keys_those_left_over_get_the_last_try_in_turn() -> None:
    counter = Counter()
    by = verifier(source=HeldKeys(keys(6, counter)), max_keys=3)
    tried = []
    for _ in range(4):
        counter.tried.clear()
        with pytest.raises(InvalidToken, match=BAD_SIGNATURE):
            by.verify(sign(number=9), NOW)
        *stable, last = counter.tried
        assert stable == ["ES256-0", "ES256-1"]
        tried.append(last)
    assert sorted(tried) == ["ES256-2", "ES256-3", "ES256-4", "ES256-5"]


def test_key_that_begins_to_sign_is_found_though_there_are_too_many_and_then_stays_found() -> None:
    counter = Counter()
    by = verifier(source=HeldKeys(keys(6, counter)), max_keys=3)
    token = sign(number=5)
    verdicts = []
    for _ in range(4):
        try:
            verdicts.append(by.verify(token, NOW).key.source)
        except InvalidToken:
            verdicts.append("refused")
    assert "ES256-5" in verdicts
    for _ in range(6):
        counter.tried.clear()
        assert by.verify(token, NOW).key.source == "ES256-5"
        assert counter.tried == ["ES256-5"]


def test_strangers_tokens_do_not_push_out_the_key_in_use() -> None:
    by = verifier(source=HeldKeys(keys(6, Counter())), max_keys=3)
    for _ in range(20):
        assert by.verify(sign(number=0), NOW).key.source == "ES256-0"
        with pytest.raises(InvalidToken, match=BAD_SIGNATURE):
            by.verify(sign(number=9), NOW)


def test_refusal_says_that_not_every_key_was_tried() -> None:
    by = verifier(source=HeldKeys(keys(6, Counter())), max_keys=3)
    with pytest.raises(InvalidToken, match=r"signature; only 3 of 6 that fit were tried \(jws_max"):
        by.verify(sign(number=9), NOW)


def test_too_many_keys_without_a_kid_are_warned_of_once_for_each_change(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = HeldKeys(keys(3, Counter()))
    by = verifier(source=source, max_keys=3)
    with caplog.at_level(logging.WARNING):
        by.verify(sign(), NOW)
        assert caplog.messages == []
        for count in (5, 5, 6):
            source.keys = keys(count, Counter())
            by.verify(sign(), NOW)
            by.verify(sign(), NOW)
    assert caplog.messages == [
        f"there are {count} ES256 keys without a kid, and jws_max_keys = 3 are tried for a token: "
        "tokens of the others may be refused; remove the keys that no longer sign, or set "
        f"jws_max_keys = {count}"
        for count in (5, 6)
    ]


def test_keys_that_a_kid_tells_apart_or_that_are_never_tried_are_not_too_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    some = [public_key("ES256", number, f"kid-{number}") for number in range(3)]
    some += [public_key("ES256", 3), *(public_key("EdDSA", number) for number in range(3))]
    by = verifier(*some, accepted=frozenset({"ES256"}), max_keys=2)
    by.verify(sign(header={"alg": "ES256", "kid": "kid-2"}, number=2), NOW)
    assert caplog.messages == []


def test_key_that_was_last_successful_is_tried_first() -> None:
    counter = Counter()
    by = verifier(source=HeldKeys(keys(3, counter)))
    for number in (2, 2, 1, 2):
        counter.tried.clear()
        by.verify(sign(number=number), NOW)
        first, *others = counter.tried
    assert (first, others) == ("ES256-1", ["ES256-2"])


@pytest.mark.parametrize(
    ("kid", "tried"),
    [
        (None, ["ES256-0", "ES256-1", "ES256-2"]),
        ("one", ["ES256-1", "ES256-2"]),
        ("zero", ["ES256-0", "ES256-2"]),
        ("unknown", ["ES256-2"]),
        ("", ["ES256-2"]),
    ],
)
def test_kid_narrows_the_choice_where_both_sides_have_one(
    kid: str | None, tried: list[str]
) -> None:
    counter = Counter()
    some = [
        counter.watch(public_key("ES256", number, name))
        for number, name in ((0, "zero"), (1, "one"), (2, None))
    ]
    header: dict[str, object] = {"alg": "ES256"}
    if kid is not None:
        header["kid"] = kid
    with pytest.raises(InvalidToken):
        verifier(*some).verify(sign(header=header, number=3), NOW)
    assert counter.tried == tried


def test_keys_with_the_tokens_kid_come_first_and_other_kids_cost_nothing() -> None:
    counter = Counter()
    named = [counter.watch(public_key("ES256", 0, kid=str(number))) for number in range(2000)]
    named.append(counter.watch(public_key("ES256", 1, kid="ours")))
    by = verifier(counter.watch(public_key("ES256", 2)), *named, max_keys=2)
    header = {"alg": "ES256", "kid": "ours"}
    assert by.verify(sign(header=header, number=1), NOW).key.kid == "ours"
    assert counter.tried == ["ES256-1"]
    assert by.verify(sign(header=header, number=2), NOW).key.kid is None
    assert counter.tried == ["ES256-1", "ES256-1", "ES256-2"]
    counter.tried.clear()
    with pytest.raises(InvalidToken, match=BAD_SIGNATURE):
        by.verify(sign(header={"alg": "ES256", "kid": "nobody's"}, number=1), NOW)
    assert counter.tried == ["ES256-2"]


def test_a_kid_that_many_keys_share_costs_no_more_than_max_keys() -> None:
    counter = Counter()
    shared = [counter.watch(public_key("ES256", number, kid="same")) for number in range(6)]
    by = verifier(*shared, max_keys=3)
    with pytest.raises(InvalidToken, match=BAD_SIGNATURE):
        by.verify(sign(header={"alg": "ES256", "kid": "same"}, number=9), NOW)
    assert len(counter.tried) == 3


def test_types_are_an_argument_and_absence_is_one_of_them() -> None:
    at_jwt = verifier(public_key("ES256"), types=frozenset({"at+jwt"}))
    for typ in ("at+jwt", "AT+JWT", "application/at+jwt"):
        assert at_jwt.verify(sign(header={"alg": "ES256", "typ": typ}), NOW)
    for header in ({"alg": "ES256"}, {"alg": "ES256", "typ": "JWT"}):
        with pytest.raises(InvalidToken, match=r"header parameter 'typ' is not AT\+JWT"):
            at_jwt.verify(sign(header=header), NOW)


def test_key_that_appeared_since_the_last_reload_is_found() -> None:
    counter = Counter()
    source = HeldKeys(keys(2, counter), next_keys=keys(3, counter))
    verified = verifier(source=source).verify(sign(number=2), NOW)
    assert verified.key.source == "ES256-2"
    # Those that were tried before the reload have had their chance.
    assert counter.tried == ["ES256-0", "ES256-1", "ES256-2"]


def test_keys_tried_before_and_after_a_reload_are_counted_together() -> None:
    counter = Counter()
    source = HeldKeys(keys(3, counter), next_keys=keys(9, counter, start=3))
    with pytest.raises(InvalidToken, match=BAD_SIGNATURE):
        verifier(source=source, max_keys=4).verify(sign(number=20), NOW)
    assert counter.tried == ["ES256-0", "ES256-1", "ES256-2", "ES256-3"]


def test_refused_reload_still_finds_what_another_thread_has_loaded() -> None:
    class JustReloaded(HeldKeys):
        def reload_early(self, now: float) -> KeySet | None:
            self.reload(now)  # the other thread
            return None

    counter = Counter()
    source = JustReloaded(keys(1, counter), next_keys=keys(2, counter))
    assert verifier(source=source).verify(sign(number=1), NOW).key.source == "ES256-1"


def test_garbage_causes_no_reload() -> None:
    class Counting(HeldKeys):
        reloads = 0

        def reload_early(self, now: float) -> KeySet | None:
            self.reloads += 1
            return None

    source = Counting(KeySet([public_key("ES256")]))
    by = verifier(source=source, accepted=frozenset({"ES256"}))
    unsigned = sign().rpartition(".")[0]
    for token in ("x.y.z", f"{unsigned}.AAAA", f"{unsigned}.", sign(header={"alg": "none"})):
        with pytest.raises(InvalidToken):
            by.verify(token, NOW)
    with pytest.raises(InvalidToken, match="EdDSA is not in jws_accepted_algorithms"):
        by.verify(sign(algorithm="EdDSA"), NOW)
    assert source.reloads == 0
    with pytest.raises(InvalidToken, match=BAD_SIGNATURE):
        by.verify(sign(number=1), NOW)
    assert source.reloads == 1


def test_token_is_not_judged_while_some_keys_are_missing() -> None:
    source = HeldKeys(KeySet([public_key("ES256")], missing="the other half can't be read"))
    by = verifier(source=source)
    assert by.verify(sign(), NOW).key.source == "ES256-0"
    with pytest.raises(IdentityUnavailable, match="but the other half can't be read"):
        by.verify(sign(number=1), NOW)


def test_repeated_key_is_tried_once() -> None:
    counter = Counter()
    same = counter.watch(public_key("ES256"))
    with pytest.raises(InvalidToken):
        verifier(same, same, same).verify(sign(number=1), NOW)
    assert counter.tried == ["ES256-0"]


@pytest.mark.parametrize("names", ["none", "ES256,HS256", "es256", ""])
def test_algorithm_that_does_not_exist_here_can_not_be_configured(names: str) -> None:
    with pytest.raises(ConfigurationError, match="jws_accepted_algorithms = "):
        configure(names)


def test_every_algorithm_can_be_configured() -> None:
    assert configure(",".join(ALGORITHMS)).jws_accepted_algorithms == tuple(ALGORITHMS)


@pytest.mark.parametrize("names", ["Ed25519", "EdDSA", "EdDSA,Ed25519", "Ed25519,EdDSA"])
def test_ed25519_is_configured_by_either_of_its_names(names: str) -> None:
    assert configure(names).jws_accepted_algorithms == ("EdDSA",)


def configure(algorithms: str) -> Settings:
    conf = {"oslo_config_config": cfg.ConfigOpts(), "jws_accepted_algorithms": algorithms}
    return load_settings(conf)
