"""The revocation events of a deployment, kept fresh by polling: when to ask, and whom.

No thread and no clock here: whoever keeps things fresh calls `poll(now)` again and again.
With a shared store one process asks the identity service for all of them; the others read
what it learned.
"""

from __future__ import annotations

import logging
import random
import threading
from datetime import UTC, datetime

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.process import PerProcess
from authmw.revocation.board import Board
from authmw.revocation.bulletin import Notice
from authmw.revocation.events import MalformedEvents, parse_events
from authmw.revocation.facts import facts_of
from authmw.revocation.knowledge import Knowledge
from authmw.revocation.since import SinceTimes
from authmw.revocation.source import EventsForbidden, EventSource
from authmw.revocation.store import SharedStore
from authmw.token import Token

_log = logging.getLogger(__name__)

# A poll has a deadline of its own; who needs longer than this is taken for dead.
_LONGEST_LEASE_SECONDS = 15
# How often word of the others is looked for; and how often while one of them is about to
# poll, or there are no events yet to go on with.
_FOLLOW_SECONDS = 1.0
_HURRY_SECONDS = 0.2
# How long a process without any events waits for somebody else's first poll.
_PATIENCE_SECONDS = 2.0
# The share of a pause that has to pass; the rest is left to chance.
_EARLIEST = 0.9
# A service may have seeded the common one, and a state of our own would be the same in all
# processes forked from one.
_chance = random.SystemRandom()


class RevocationFeed:
    """Knows which tokens are revoked, as of the last poll.

    `generation` and the `verify_…` methods are for any thread and take no lock. Who keeps a
    verdict together with `generation` reads `generation` first.

    Args:
        source: who is asked.
        poll_interval_seconds: `revocation_poll_interval`, at least 1.
        max_staleness_seconds: `revocation_max_staleness`.
        retention_seconds: `revocation_retention`.
        max_events: `revocation_max_events`.
        store: shared with the other processes; None: this process asks by itself.

    Attributes:
        is_forbidden: the identity service last answered 403.
        answered_at: when the last poll that was answered began, ours or another process's;
            epoch seconds, None: there was none yet.
        reload_at: when to call `reload` next, epoch seconds.
    """

    def __init__(
        self,
        source: EventSource,
        *,
        poll_interval_seconds: int,
        max_staleness_seconds: int,
        retention_seconds: int,
        max_events: int,
        store: SharedStore | None = None,
    ) -> None:
        if poll_interval_seconds < 1:
            raise ValueError("a feed polls at intervals of 1 s or more")
        self.is_forbidden = False
        self.answered_at: float | None = None
        self.reload_at = 0.0
        self._source = source
        self._interval = poll_interval_seconds
        self._max_staleness = max_staleness_seconds
        self._max_events = max_events
        self._known = Knowledge(max_events=max_events, retention_seconds=retention_seconds)
        lease_seconds = min(poll_interval_seconds, _LONGEST_LEASE_SECONDS)
        self._board = None if store is None else Board(store, lease_seconds=lease_seconds)
        self._patience = 2 * lease_seconds + _PATIENCE_SECONDS
        self._polling = PerProcess(threading.Lock)
        self._since = SinceTimes()
        self._tried_at: float | None = None
        self._waiting_since: float | None = None
        self._notice: Notice | None = None
        self._is_cut_off = False
        self._editions_apart: tuple[str, str] | None = None
        self._trouble: str | None = None

    # What requests ask

    @property
    def generation(self) -> int:
        """Moves on when events came that were not known, and only then."""
        return self._known.index.generation

    def __len__(self) -> int:
        """The number of events kept."""
        return len(self._known.index)

    def verify_not_revoked(self, token: Token) -> None:
        """Compare a token with all events.

        Raises:
            InvalidToken: (revoked) an event covers it.
        """
        attributes = self._known.index.find_attributes(facts_of(token))
        if attributes is not None:
            of = ", ".join(attributes) or "all tokens"
            raise InvalidToken(Reason.REVOKED, f"a revocation event of {of} covers it")

    def verify_decidable(self, token: Token, now: float) -> None:
        """Make sure that not being revoked means something: for tokens nobody else judges.

        Raises:
            IdentityUnavailable: events are missing that might cover the token.
        """
        if self.is_stale(now):
            raise IdentityUnavailable(
                f"{self._describe_age()}: {self._trouble or 'nothing polls them'}"
            )
        forgotten_before = self._known.index.forgotten_before
        if forgotten_before is not None and token.issued_at <= forgotten_before:
            raise IdentityUnavailable(
                f"there are more than revocation_max_events = {self._max_events} revocation "
                "events, and one that was forgotten might cover this token"
            )

    def decidable_until(self, now: float) -> int:
        """Return up to when, in epoch seconds, the last answer is recent enough to go by."""
        return int(now if self.answered_at is None else self.answered_at + self._max_staleness)

    def is_stale(self, now: float) -> bool:
        """Whether the last answer is older than `revocation_max_staleness`, or there is none."""
        # abs(): after a clock was set back nobody knows how old anything is.
        return self.answered_at is None or abs(now - self.answered_at) > self._max_staleness

    def _describe_age(self) -> str:
        if self.answered_at is None:
            return "no revocation events were read yet"
        last = datetime.fromtimestamp(self.answered_at, UTC).isoformat(timespec="seconds")
        return (
            f"revocation events were last read at {last}, longer ago than revocation_max_staleness"
        )

    # What keeps it fresh

    def poll(self, now: float) -> None:
        """Learn what is new, from the other processes or from the identity service.

        Asks nobody before it is due, so it may be called as often as one likes. Returns at
        once while another thread is at it. Never raises for what servers and stores do.

        Args:
            now: epoch seconds.
        """
        lock = self._polling.get()
        if not lock.acquire(blocking=False):
            return
        try:
            if self._board is not None:
                self._poll_together(self._board, now)
            elif self._is_due(now):
                self._ask(now)
        finally:
            lock.release()

    def reload(self, now: float) -> None:
        """Poll, and plan the next time; see `authmw.refresh.Refreshable`."""
        self.poll(now)
        if self._board is None:
            longest = float(self._interval)
        elif self.answered_at is None or self._waiting_since is not None:
            longest = _HURRY_SECONDS
        else:
            longest = _FOLLOW_SECONDS
        # Earlier than need be, never later, so that processes started together drift apart.
        self.reload_at = now + longest * _chance.uniform(_EARLIEST, 1.0)
        if self._board is not None and self._tried_at is not None:
            # A moment after the next poll is due one of us should be there to begin it.
            due_at = self._tried_at + self._interval
            if now < due_at < self.reload_at:
                self.reload_at = due_at + _HURRY_SECONDS * _chance.random()

    def _is_due(self, now: float) -> bool:
        # abs(): a clock that was set back must not keep us waiting for as long.
        interval = self._interval * (_EARLIEST if self._board is None else 1.0)
        return self._tried_at is None or abs(now - self._tried_at) >= interval

    def _ask(self, now: float) -> None:
        self._tried_at = now
        self._waiting_since = None
        try:
            answer = self._source.fetch_events(self._since.render(self._known.covers_from))
            if answer.date is not None and answer.date < self._known.covers_from:
                # The clock we went by ran ahead, who knows for how long: what was made
                # meanwhile is in no answer to such a question.
                answer = self._source.fetch_events(self._since.render(0.0))
                self._known.forget_coverage()
            answered_at = now if answer.date is None else answer.date
            events = parse_events(answer.document, int(answered_at))
        except EventsForbidden as error:
            if not self.is_forbidden:
                self._trouble = None  # this is another one, and has to be said
            self.is_forbidden = True
            self._report(
                "our own user may not read them, so a revoked token is taken for as long as it is "
                f"cached; give the user the service role ({error.detail})"
            )
        except IdentityUnavailable as error:
            self._report(error.detail)
        except MalformedEvents as error:
            self._report(f"the answer is no list of events: {error}")
        else:
            self._known.take_answer(events, answer.date, now)
            self.answered_at = now
            self.is_forbidden = False
            self._report(None)

    def _report(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            _log.warning("revocation events can't be read: %s", trouble)
        elif trouble is None and self._trouble is not None:
            _log.info("revocation events can be read again")
        self._trouble = trouble

    # Together with other processes

    def _poll_together(self, board: Board, now: float) -> None:
        self._follow(board, now)
        if not self._is_due(now):
            self._waiting_since = None
        elif self._is_cut_off:
            # Nobody else can tell us what we missed, and nobody else waits for our answer.
            self._ask(now)
            board.ask_for_all()
        elif board.try_lease(now):
            # Whoever held it may have been done only just now.
            posted = self._follow(board, now)
            if self._is_due(now):
                self._ask(now)
                self._publish(board, posted, now)
            board.end_lease()
        elif self._is_patience_at_end(now):
            self._ask(now)

    def _is_patience_at_end(self, now: float) -> bool:
        """Whether whoever has the lease has done nothing with it for too long."""
        if self._waiting_since is None:
            self._waiting_since = now
        patience = _PATIENCE_SECONDS if self.answered_at is None else self._patience
        return abs(now - self._waiting_since) >= patience

    def _follow(self, board: Board, now: float) -> Notice | None:
        """Learn what other processes published; return the notice they left."""
        notice = board.read_notice()
        if notice is None or notice == self._notice:
            self._is_cut_off = False
            return notice
        self._is_cut_off = bool(notice.edition) and not (
            self._catch_up(board, notice, now) and self._is_expected(notice.edition)
        )
        if self._is_cut_off:
            return notice
        self._tried_at = notice.tried_at
        self.is_forbidden = notice.is_forbidden
        if notice.edition != self._known.window.edition:
            return notice
        is_answer = self._notice is None or self._notice.answered_at != notice.answered_at
        self._notice = notice
        if is_answer and notice.answered_at is not None and notice.covers_to is not None:
            # Another host's clock may be ahead of ours.
            self.answered_at = min(notice.answered_at, now)
            self._known.move_on(notice.covers_to, now)
            self._trouble = None
        return notice

    def _catch_up(self, board: Board, notice: Notice, now: float) -> bool:
        """Know what a notice speaks of; False if there is no way to."""
        if notice.edition == self._known.window.edition:
            return True
        recent = board.read_recent()
        if recent is None:
            return False
        full = board.read_full() if self._known.needs_full(recent) else None
        return self._known.take_bulletins(recent, full, now)

    def _is_expected(self, edition: str) -> bool:
        """Whether a notice goes with the bulletin that we know, or will in a moment.

        The bulletin may be a later one already, and the notice about it is to come. If the
        two stay apart, two processes have published at the same time, each one of them.
        """
        known = self._known.window.edition
        if edition == known:
            self._editions_apart = None
            return True
        is_new = self._editions_apart != (edition, known)
        self._editions_apart = (edition, known)
        return is_new

    def _publish(self, board: Board, posted: Notice | None, now: float) -> None:
        """Tell the others how our poll went.

        Args:
            posted: the notice that was there before.
            now: when the poll began.
        """
        window, covers_to = self._known.window, self._known.covers_to
        if covers_to is not None:
            if posted is None or not posted.edition:
                # The store is new or was emptied, or somebody asks for all there is.
                window.require_full()
            if posted is None or posted.edition != window.edition:
                full = window.take_full(covers_to)
                if full is not None:
                    board.post_full(full)
                board.post_recent(window.make_bulletin(covers_to))
        self._notice = Notice(window.edition, covers_to, now, self.answered_at, self.is_forbidden)
        board.post_notice(self._notice)
