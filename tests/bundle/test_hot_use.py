"""A filter that reads a bundle and its hot file."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable

import pytest

from tests.bundle.sites import MakeFilter, Site
from tests.support.filters import Filter
from tests.support.waiting import wait_for

IN_TIME_SECONDS = 1.0
# Those of the hot file alone: old events of the bundle itself count for nothing then.
ALONE = {"revocation_max_staleness": "600", "bundle_max_age": "600", "bundle_warn_age": "300"}


def revoke(audit_id: str) -> dict[str, str]:
    return {"audit_id": audit_id, "issued_before": "2100-01-01T00:00:00.000000Z"}


def status(protected: Filter, token: str) -> int:
    return protected.ask(token).status


def revision_now(protected: Filter, site: Site) -> str | None:
    """Return what the token of a bearer never seen before is judged by."""
    return revision_of(protected, site.sign(never_seen=uuid.uuid4().hex))


def revision_of(protected: Filter, token: str) -> str | None:
    told = protected.ask(token)
    assert told.token is not None
    return told.token.revision


def test_an_event_of_the_hot_file_refuses_a_token_in_memory_within_a_second(
    site: Site, make_filter: MakeFilter
) -> None:
    site.publish(events_age=None)
    site.publish_hot()
    protected = make_filter()
    revoked, other = site.sign(openstack_audit_ids=["revoked"]), site.sign()
    assert [status(protected, token) for token in (revoked, other)] == [200, 200]
    site.publish_hot(revoke("revoked"), number=2)
    assert wait_for(lambda: status(protected, revoked) == 401, IN_TIME_SECONDS)
    assert status(protected, other) == 200
    # An event that the centre keeps no longer is forgotten, and none that came meanwhile.
    site.publish_hot(revoke("other"), number=3)
    assert wait_for(lambda: status(protected, site.sign(openstack_audit_ids=["other"])) == 401, 3)
    assert wait_for(lambda: status(protected, site.sign(openstack_audit_ids=["revoked"])) == 200, 3)


def test_events_of_either_file_refuse_and_those_of_one_are_enough(
    site: Site, make_filter: MakeFilter
) -> None:
    site.world.add("revocation_events", revoked_at=1, event=revoke("warm"))
    site.publish(events_age=3000)
    site.publish_hot(revoke("hot"))
    protected = make_filter(revocation_max_staleness="600")
    asked = [site.sign(openstack_audit_ids=[each]) for each in ("warm", "hot", "none")]
    assert [status(protected, token) for token in asked] == [401, 401, 200]


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        ({"events_age": None}, "has no revocation events"),
        ({"events_age": 700}, "longer ago than revocation_max_staleness"),
        ({"complete_from": 1 << 33}, "is not in the hot file, whose revision is 1,"),
        ({"complete_from": None}, "is not in the hot file, whose revision is 1,"),
    ],
    ids=["none", "old", "dropped", "unknown"],
)
def test_without_events_that_count_signed_tokens_get_503(
    site: Site,
    make_filter: MakeFilter,
    caplog: pytest.LogCaptureFixture,
    published: dict[str, int | None],
    reason: str,
) -> None:
    site.publish(events_age=None)
    site.publish_hot(**published)  # type: ignore[arg-type]
    assert status(make_filter(), site.sign()) == 503
    assert reason in caplog.text


def test_a_confirmation_makes_old_facts_current_and_judges_no_token_again(
    site: Site, make_filter: MakeFilter
) -> None:
    header = site.publish()
    protected = make_filter(**ALONE)
    token = site.sign()
    name = revision_of(protected, token)
    assert name == f"1-{header.digest.hex()[:16]}"
    generation = protected.generation
    for number in (5, 6, 7):
        site.clock.advance(250)
        site.publish_hot(confirms=(header, number), number=number)
        assert wait_for(lambda: revision_now(protected, site) == f"{name}+{number}", 3)  # noqa: B023
    # 750 seconds old, were it not confirmed.
    assert status(protected, token) == 200
    # The hot file's first events began one generation, and nothing else did.
    assert protected.generation is not generation
    generation = protected.generation
    site.publish_hot(confirms=(header, 8), number=8)
    assert wait_for(lambda: revision_now(protected, site) == f"{name}+8", 3)
    assert protected.generation is generation
    assert revision_of(protected, token) != f"{name}+8"


def test_another_file_with_the_same_facts_judges_no_token_again(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.publish()
    protected = make_filter()
    token = site.sign()
    name = revision_of(protected, token)
    generation = protected.generation
    site.publish(number=9)
    assert wait_for(lambda: "revision 9-" in caplog.text, 3)
    assert protected.generation is generation
    assert revision_of(protected, token) == name
    assert (revision_now(protected, site) or "").startswith("9-")


def test_a_confirmation_of_other_facts_is_ignored_and_its_events_count(
    site: Site, make_filter: MakeFilter
) -> None:
    site.publish()
    site.world.assign("reader", "u", "low")
    other = site.publish(path=site.path.with_name("other"))
    site.publish_hot(revoke("revoked"), confirms=(other, 40))
    protected = make_filter()
    assert (revision_of(protected, site.sign()) or "").startswith("1-")
    assert "+" not in (revision_of(protected, site.sign()) or "")
    assert status(protected, site.sign(openstack_audit_ids=["revoked"])) == 401
    site.clock.advance(601)
    site.publish_hot(confirms=(other, 41))
    assert wait_for(lambda: status(protected, site.sign()) == 503, 3)


def test_an_older_confirmation_than_the_bundle_itself_is_ignored(
    site: Site, make_filter: MakeFilter
) -> None:
    header = site.publish(number=50)
    site.publish_hot(confirms=(header, 49), age=500)
    protected = make_filter()
    assert revision_of(protected, site.sign()) == f"50-{header.digest.hex()[:16]}"


def test_a_token_that_is_newer_than_the_confirmed_facts_is_not_denied(
    site: Site, make_filter: MakeFilter
) -> None:
    header = site.publish(age=100)
    site.publish_hot()
    protected = make_filter()
    issued_since = site.sign("v", age=50)
    assert status(protected, issued_since) == 503
    site.publish_hot(confirms=(header, 2), age=0)
    assert wait_for(lambda: status(protected, issued_since) == 401, 3)


def test_no_request_is_refused_whichever_file_is_replaced_first(
    site: Site, make_filter: MakeFilter
) -> None:
    """The facts are only as old as they are because they are confirmed."""
    header = site.publish(age=5000)
    site.publish_hot(confirms=(header, 2))
    protected = make_filter(**ALONE)
    token = site.sign()
    seen: list[int] = []
    stop = threading.Event()

    def ask_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            seen.append(status(protected, site.sign("u", number=number)))
            seen.append(status(protected, token))

    asking = threading.Thread(target=ask_on)
    asking.start()
    for number in range(3, 9):
        site.world.add("groups", id=f"g{number}", name="g", domain_id="d")
        following = site.path.with_name("following")
        header = site.publish(number=number, path=following)
        if number % 2:
            site.publish_hot(confirms=(header, number), number=number)
            time.sleep(0.7)
            os.replace(following, site.path)
        else:
            os.replace(following, site.path)
            time.sleep(0.7)
            site.publish_hot(confirms=(header, number), number=number)
        expected = f"{number}-{header.digest.hex()[:16]}"
        assert wait_for(lambda: revision_of(protected, token) == expected, 2)  # noqa: B023
    stop.set()
    asking.join()
    assert set(seen) == {200}


def cut(site: Site) -> None:
    replace(site, site.hot_path.read_bytes()[:-4096])


def replace(site: Site, content: bytes, mode: int = 0o644) -> None:
    other = site.path.with_name("replacement")
    other.write_bytes(content)
    other.chmod(mode)
    other.rename(site.hot_path)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda site: site.hot_path.unlink(), "No such file or directory"),
        (cut, "it was cut"),
        (lambda site: replace(site, b"\0" * 10_000), "it is no SQLite file"),
        (lambda site: replace(site, site.path.read_bytes()), "has rows in 'projects'"),
        (lambda site: replace(site, site.hot_path.read_bytes(), 0o646), "writable by everyone"),
        (lambda site: site.publish_hot([1]), "revocation events can't be read"),
    ],
    ids=["missing", "cut", "zeros", "grants", "anyone's", "no event"],
)
def test_the_last_good_hot_file_stays_in_force_and_the_log_says_why(
    site: Site,
    make_filter: MakeFilter,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Site], None],
    reason: str,
) -> None:
    header = site.publish(age=500, events_age=None)
    site.publish_hot(revoke("revoked"), confirms=(header, 2), number=33)
    protected = make_filter()
    revoked = site.sign(openstack_audit_ids=["revoked"])
    assert [status(protected, token) for token in (revoked, site.sign())] == [401, 200]
    damage(site)
    assert wait_for(lambda: reason in caplog.text, 5)
    assert "revision 33 of the revocation events stays in force" in caplog.text
    site.clock.advance(300)  # past answers in memory, and the age of the facts alone
    assert [status(protected, token) for token in (revoked, site.sign())] == [401, 200]
    time.sleep(1.2)
    assert caplog.text.count("stays in force") == 1
    if site.hot_path.exists():
        site.hot_path.chmod(0o644)
    site.publish_hot(revoke("since"), confirms=(header, 3), number=34)
    assert wait_for(lambda: status(protected, site.sign(openstack_audit_ids=["since"])) == 401, 3)


def test_a_bundle_without_a_hot_file_is_no_fault(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish()
    assert status(make_filter(), site.sign()) == 200
    time.sleep(0.7)
    assert [each.getMessage() for each in caplog.records if each.levelno > logging.INFO] == []


def test_an_older_hot_file_that_is_put_back_is_in_force_and_warned_of(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    """After a stolen key, the centre begins anew with what it knows to be true (ADR 0146)."""
    site.publish()
    site.publish_hot(revoke("forged"), number=1 << 30)
    protected = make_filter()
    token = site.sign(openstack_audit_ids=["forged"])
    assert status(protected, token) == 401
    site.publish_hot(revoke("true"), number=7)
    assert wait_for(lambda: status(protected, site.sign(openstack_audit_ids=["true"])) == 401, 3)
    assert f"revision 7 of the revocation events is older than revision {1 << 30}" in caplog.text
    assert status(protected, site.sign(openstack_audit_ids=["forged"])) == 200


def test_each_part_has_its_own_age_in_the_log(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    header = site.publish(events_age=None)
    site.publish_hot(confirms=(header, 2))
    protected = make_filter(
        bundle_warn_age="100", bundle_max_age="1000", revocation_max_staleness="200"
    )
    assert status(protected, site.sign()) == 200
    site.clock.advance(101)
    assert wait_for(lambda: "site.bundle: the facts of revision 1-" in caplog.text, 5)
    assert wait_for(lambda: "the revocation events of revision 1 are of" in caplog.text, 5)
    site.clock.advance(100)
    assert wait_for(lambda: "they are complete no more" in caplog.text, 5)
    assert status(protected, site.sign()) == 503
    assert "more than bundle_max_age" not in caplog.text
    caplog.clear()
    site.publish_hot(number=2)
    assert wait_for(lambda: status(protected, site.sign()) == 200, 3)
    caplog.clear()
    time.sleep(1.2)
    assert "are of" not in caplog.text


def test_after_the_clock_was_set_back_nothing_is_fresh(site: Site, make_filter: MakeFilter) -> None:
    header = site.publish(events_age=None)
    site.publish_hot(confirms=(header, 2))
    protected = make_filter()
    assert status(protected, site.sign()) == 200
    site.clock.advance(-700)
    assert status(protected, site.sign(age=0)) == 503
    site.publish_hot(confirms=(header, 3), number=2)
    assert wait_for(lambda: status(protected, site.sign(age=0)) == 200, 5)


def test_what_ends_by_itself_is_not_used_a_moment_longer(
    site: Site, make_filter: MakeFilter
) -> None:
    """Its answer would be remembered for a minute."""
    end = int(site.clock()) + 20
    micro = 1_000_000
    site.world.add("groups", id="g", name="g", domain_id="d")
    site.world.add("users", id="sleepy", name="s", domain_id="d", disabled_from=end * micro)
    site.world.assign("member", "sleepy", "low")
    site.world.add(
        "expiring_memberships",
        user_id="v",
        group_id="g",
        identity_provider_id="i",
        expires_at=end * micro,
    )
    site.world.assign("reader", "g", "low", actor_is_group=1)
    site.world.add(
        "application_credentials",
        id="ac",
        name="ac",
        user_id="u",
        project_id="low",
        expires_at=end * micro,
    )
    site.world.add("application_credential_roles", application_credential_id="ac", role_id="member")
    site.world.add(
        "trusts",
        id="t",
        trustor_user_id="u",
        trustee_user_id="sleepless",
        project_id="low",
        impersonation=0,
        expires_at=end * micro,
    )
    site.world.add("users", id="sleepless", name="n", domain_id="d")
    site.world.add("trust_roles", trust_id="t", role_id="member")
    site.publish()
    protected = make_filter()
    tokens = [
        site.sign("sleepy"),
        site.sign("v"),
        site.sign(openstack_app_cred_id="ac"),
        site.sign("sleepless", openstack_trust_id="t"),
    ]
    lasting = site.sign()
    assert [status(protected, token) for token in tokens] == [200] * 4
    told = protected.ask(tokens[0]).token
    assert told is not None
    assert told.fresh_until == end
    site.clock.advance(20)
    assert [status(protected, token) for token in tokens] == [401] * 4
    assert status(protected, lasting) == 200
