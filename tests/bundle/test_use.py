"""A filter decides by the bundle on its disk, through every change and accident of the file."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from authmw.bundle.file import apply_delta, make_delta
from tests.bundle.sites import SILENT_KEYSTONE, MakeFilter, Site
from tests.support.filters import Filter
from tests.support.waiting import wait_for

IN_TIME_SECONDS = 1.0


def roles_of(protected: Filter, token: str) -> str:
    told = protected.ask(token)
    assert told.status == 200
    return told.headers["HTTP_X_ROLES"]


def revision_of(protected: Filter, token: str) -> str | None:
    told = protected.ask(token)
    assert told.status == 200
    assert told.token is not None
    return told.token.revision


def revision_now(protected: Filter, site: Site) -> str:
    """Return what the token of a bearer never seen before is judged by."""
    return revision_of(protected, site.sign(never_seen=uuid.uuid4().hex)) or ""


def test_names_and_roles_come_from_the_bundle_and_the_token_says_of_which_revision(
    site: Site, make_filter: MakeFilter
) -> None:
    header = site.publish()
    protected = make_filter()
    token = site.sign()
    told = protected.ask(token)
    assert (told.status, told.headers["HTTP_X_ROLES"]) == (200, "member")
    assert told.headers["HTTP_X_USER_NAME"] == "user u"
    assert told.headers["HTTP_X_PROJECT_DOMAIN_NAME"] == "Domain"
    assert revision_of(protected, token) == f"1-{header.digest.hex()[:16]}"


def test_a_new_revision_judges_tokens_in_memory_within_a_second_and_refuses_no_request(
    site: Site, make_filter: MakeFilter
) -> None:
    site.publish()
    protected = make_filter()
    kept, changed = site.sign(), site.sign("v")
    site.world.assign("reader", "v", "low")
    site.publish()
    assert wait_for(lambda: protected.ask(changed).status == 200)
    seen: list[int] = []
    stop = threading.Event()

    def ask_on() -> None:
        while not stop.is_set():
            seen.append(protected.ask(kept).status)

    asking = threading.Thread(target=ask_on)
    asking.start()
    site.world.file.execute("DELETE FROM assignments WHERE actor_id = 'v'")
    header = site.publish()
    began = time.monotonic()
    assert wait_for(lambda: protected.ask(changed).status == 401, 3)
    took = time.monotonic() - began
    stop.set()
    asking.join()
    assert took < IN_TIME_SECONDS
    assert set(seen) == {200}
    assert revision_of(protected, kept) == f"3-{header.digest.hex()[:16]}"


def test_a_delta_applied_where_the_bundle_lies_is_seen_as_well(
    site: Site, make_filter: MakeFilter, tmp_path: Path
) -> None:
    site.publish()
    protected = make_filter()
    token = site.sign()
    assert roles_of(protected, token) == "member"
    site.world.assign("reader", "u", "low")
    site.publish(path=tmp_path / "next")
    make_delta(site.path, tmp_path / "next", tmp_path / "delta")
    apply_delta(site.path, tmp_path / "delta")
    assert wait_for(lambda: roles_of(protected, token) == "member,reader", IN_TIME_SECONDS)


def test_a_bearer_is_evaluated_once_for_many_tokens(site: Site, make_filter: MakeFilter) -> None:
    site.publish()
    protected = make_filter()
    assert {revision_of(protected, token) for token in site.sign_many(20)} != {None}
    # No file is needed for what is in memory.
    site.path.write_bytes(b"")
    assert {protected.ask(token).status for token in site.sign_many(20)} == {200}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "No such file or directory"),
        (lambda path: replace(path, path.read_bytes()[:-4096]), "it was cut"),
        (lambda path: replace(path, b"SQLite format 3\0" * 1000), "of another application"),
        (lambda path: replace(path, b"\0" * 10_000), "it is no SQLite file"),
        (lambda path: replace(path, path.read_bytes(), mode=0o646), "writable by everyone"),
    ],
    ids=["missing", "cut", "other", "zeros", "anyone's"],
)
def test_the_last_good_revision_stays_in_force_and_the_log_says_why(
    site: Site,
    make_filter: MakeFilter,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
    reason: str,
) -> None:
    site.publish()
    protected = make_filter()
    assert protected.ask(site.sign()).status == 200
    damage(site.path)
    assert wait_for(lambda: reason in caplog.text, 5)
    assert "revision 1-" in caplog.text
    assert "stays in force" in caplog.text
    site.clock.advance(61)  # past the answers in memory
    assert protected.ask(site.sign()).status == 200
    assert protected.ask(site.sign("nobody", age=400)).status == 401
    time.sleep(1.2)
    assert caplog.text.count("stays in force") == 1
    if site.path.exists():
        site.path.chmod(0o644)
    site.publish()
    assert wait_for(lambda: revision_now(protected, site).startswith("2-"), 3)


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    other = path.with_name("other")
    other.write_bytes(content)
    other.chmod(mode)
    other.rename(path)


def test_a_bundle_that_is_copied_over_the_one_in_force_decides_nothing_by_halves(
    site: Site, make_filter: MakeFilter, tmp_path: Path
) -> None:
    """Rows of two revisions must not be mixed."""
    site.publish()
    protected = make_filter()
    assert protected.ask(site.sign()).status == 200
    site.world.file.execute("DELETE FROM assignments")
    site.world.assign("reader", "v", "low")
    site.publish(path=tmp_path / "next")
    with site.path.open("r+b") as target:
        content = (tmp_path / "next").read_bytes()
        target.write(content[: len(content) // 2])
        target.flush()
        assert protected.ask(site.sign("v")).status == 503
        target.write(content[len(content) // 2 :])
    shutil.copy(tmp_path / "next", site.path)
    assert wait_for(lambda: protected.ask(site.sign("v")).status == 200, 3)
    assert wait_for(lambda: protected.ask(site.sign()).status == 401, 3)


def test_without_any_bundle_signed_tokens_get_503_until_there_is_one(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    protected = make_filter()
    token = site.sign()
    assert protected.ask(token).status == 503
    assert "no revision was read before" in caplog.text
    site.publish()
    assert wait_for(lambda: protected.ask(token).status == 200, 3)


@pytest.mark.parametrize(
    ("content", "fault"), [(None, "No such file"), (b"no bundle", "it is no SQLite file")]
)
def test_the_start_says_that_the_bundle_can_t_be_used(
    site: Site,
    make_filter: MakeFilter,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
    fault: str,
) -> None:
    if content is not None:
        site.path.write_bytes(content)
    make_filter()
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert [fault in each and "bundle_path" in each for each in warnings] == [True]


def test_a_good_bundle_starts_without_a_word(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish()
    assert make_filter().ask(site.sign()).status == 200
    assert [each.getMessage() for each in caplog.records if each.levelno > logging.INFO] == []


def test_an_old_bundle_is_warned_of_once_and_one_that_is_too_old_decides_nothing(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish()
    protected = make_filter(
        bundle_max_age="200", bundle_warn_age="100", revocation_max_staleness="1000"
    )
    known = site.sign()
    assert protected.ask(known).status == 200
    site.clock.advance(101)
    assert wait_for(lambda: "bundle_warn_age = 100" in caplog.text, 5)
    assert [protected.ask(token).status for token in (known, site.sign())] == [200, 200]
    time.sleep(1.2)
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len([each for each in warnings if "bundle_warn_age" in each.getMessage()]) == 1
    site.clock.advance(100)
    assert [protected.ask(token).status for token in (known, site.sign())] == [503, 503]
    assert wait_for(lambda: "bundle_max_age = 200" in caplog.text, 5)
    site.publish()
    assert wait_for(lambda: protected.ask(known).status == 200, 3)


def test_facts_from_the_future_decide_nothing(site: Site, make_filter: MakeFilter) -> None:
    site.publish(age=-1000)
    assert make_filter(revocation_max_staleness="5000").ask(site.sign()).status == 503


def test_what_the_facts_deny_is_refused_and_what_they_do_not_say_is_503(
    site: Site, make_filter: MakeFilter
) -> None:
    site.world.add("users", id="w", name="user w", domain_id="d", enabled=0)
    site.world.assign("member", "w", "low")
    site.publish()
    protected = make_filter()
    assert protected.ask(site.sign("w")).status == 401
    assert protected.ask(site.sign("v")).status == 401  # no role there
    assert protected.ask(site.sign("nobody", age=400)).status == 401  # deleted
    # An id that the facts lack may be newer than they are, though they seem to be newer.
    assert protected.ask(site.sign("nobody")).status == 503
    # Newer than the facts: Keystone has accepted since what they deny.
    for user in ("w", "v", "nobody"):
        assert protected.ask(site.sign(user, age=-3)).status == 503


def test_what_the_filter_of_a_bundle_leaves_out_is_unknown(
    site: Site, make_filter: MakeFilter
) -> None:
    site.world.assign("member", "u", "top")
    site.world.add("settings", name="filter", value={"projects": ["low"]})
    site.publish()
    protected = make_filter()
    assert protected.ask(site.sign(age=400)).status == 200
    assert protected.ask(site.sign(openstack_project_id="top", age=400)).status == 503
    assert protected.ask(site.sign("nobody", age=400)).status == 503


def test_the_log_names_what_the_bundle_lacks_and_keystone_s_outage(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish()
    protected = make_filter(jws_authority="bundle,identity", **SILENT_KEYSTONE)
    assert protected.ask(site.sign()).status == 200
    assert protected.ask(site.sign("nobody", age=-3)).status == 503
    line = next(each for each in caplog.messages if "could not be validated" in each)
    assert "revision 1-" in line
    assert "does not say: user nobody is not in the bundle" in line
    assert "; " in line.partition("user nobody is not in the bundle")[2]


def test_revocation_events_of_the_bundle_refuse_tokens_in_memory_as_well(
    site: Site, make_filter: MakeFilter
) -> None:
    site.publish()
    protected = make_filter()
    revoked = site.sign(openstack_audit_ids=["revoked"])
    other = site.sign()
    assert [protected.ask(token).status for token in (revoked, other)] == [200, 200]
    event = {"audit_id": "revoked", "issued_before": "2100-01-01T00:00:00.000000Z"}
    site.world.add("revocation_events", revoked_at=1, event=event)
    site.publish()
    assert wait_for(lambda: protected.ask(revoked).status == 401, IN_TIME_SECONDS)
    assert protected.ask(other).status == 200


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        ({"events_age": None}, "has no revocation events"),
        ({"events_age": 700}, "longer ago than revocation_max_staleness"),
        ({"complete_from": 1 << 33}, "that might cover this token is not in revision"),
    ],
    ids=["none", "old", "dropped"],
)
def test_without_events_that_count_signed_tokens_get_503(
    site: Site,
    make_filter: MakeFilter,
    caplog: pytest.LogCaptureFixture,
    published: dict[str, int],
    reason: str,
) -> None:
    site.publish(**published)  # type: ignore[arg-type]
    assert make_filter().ask(site.sign()).status == 503
    assert reason in caplog.text


def test_events_grow_too_old_for_tokens_in_memory(site: Site, make_filter: MakeFilter) -> None:
    site.publish()
    protected = make_filter(bundle_max_age="100000", revocation_max_staleness="500")
    token = site.sign()
    assert protected.ask(token).status == 200
    site.clock.advance(501)
    assert protected.ask(token).status == 503


def test_claims_come_before_the_bundle(site: Site, make_filter: MakeFilter) -> None:
    site.publish()
    protected = make_filter(jws_authority="claims,bundle")
    stated = site.sign(
        openstack_roles=[{"id": "r", "name": "stated"}],
        openstack_user_name="stated",
        openstack_user_domain_id="d",
        openstack_user_domain_name="D",
        openstack_project_name="P",
        openstack_project_domain_id="d",
        openstack_project_domain_name="D",
    )
    assert roles_of(protected, stated) == "stated"
    assert revision_of(protected, stated) is None
    assert roles_of(protected, site.sign()) == "member"


def test_an_older_revision_that_is_put_back_is_warned_of(
    site: Site, make_filter: MakeFilter, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish(number=7)
    protected = make_filter()
    token = site.sign()
    assert protected.ask(token).status == 200
    site.publish(number=3)
    assert wait_for(lambda: revision_now(protected, site).startswith("3-"), 3)
    assert wait_for(lambda: "is older than revision 7-" in caplog.text, 5)


def test_a_forked_process_opens_the_bundle_itself(site: Site, make_filter: MakeFilter) -> None:
    site.publish()
    protected = make_filter()
    token = site.sign()
    assert protected.ask(token).status == 200

    def open_files() -> set[str]:
        inode = str(site.path.stat().st_ino)
        return {
            each
            for each in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{each}")
            and str(os.stat(f"/proc/self/fd/{each}").st_ino) == inode
        }

    inherited = open_files()
    assert inherited
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            site.clock.advance(61)
            told = [
                protected.ask(each).status for each in (token, site.sign(), site.sign("v", age=99))
            ]
            # The parent's connection is still there: it was neither used nor closed. Its lock is
            # not: once the parent reads another file, this one may be used again.
            is_own = len(open_files()) == len(inherited) + 1
            status = 0 if told == [200, 200, 401] and is_own else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert protected.ask(site.sign()).status == 200


@pytest.mark.heavy
def test_many_threads_get_right_answers_while_revisions_change(
    site: Site, make_filter: MakeFilter
) -> None:
    """Two threads that used one connection at once could get rows of each other's look-ups."""
    site.world.assign("reader", "v", "low")
    site.publish()
    protected = make_filter(token_cache_time="0", authority_cache_time="1")
    wrong: list[object] = []
    stop = threading.Event()

    def ask_on(user: str, role: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            # An unknown claim makes it another bearer: each is looked up.
            told = protected.ask(site.sign(user, number=f"{threading.get_ident()}{number}"))
            seen = (told.status, told.headers.get("HTTP_X_USER_ID"), told.headers["HTTP_X_ROLES"])
            if seen != (200, user, role):
                wrong.append(seen)

    people = (("u", "member"), ("v", "reader"))
    threads = [threading.Thread(target=ask_on, args=people[one % 2]) for one in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        site.publish()
        time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.heavy
def test_nothing_of_bundles_is_imported_where_none_is_configured(site: Site) -> None:
    options = {**site.options, "jws_authority": "claims"}
    del options["bundle_path"]
    script = (
        "import sys, authmw\n"
        f"authmw.AuthMiddleware(lambda e, s: [], {options!r}).close()\n"
        "loaded = [m for m in sys.modules if m == 'sqlite3' or m.startswith('authmw.bundle')\n"
        "          or m == 'authmw.build.bundle']\n"
        "print(loaded)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert printed.stdout.strip() == "[]"
