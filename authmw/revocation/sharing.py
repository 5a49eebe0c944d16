"""One poll for many processes: whose turn it is, and what follows from the others' polls.

Whoever holds the lease asks the identity service and publishes what it learned: bulletins of
events, then a notice that speaks of them. Everybody else follows. Who can't follow, or waits
for too long, asks as well.
"""

from __future__ import annotations

from collections.abc import Callable

from authmw.revocation.board import Board
from authmw.revocation.bulletin import Notice
from authmw.revocation.jitter import draw_below, shorten
from authmw.revocation.knowledge import Knowledge
from authmw.revocation.progress import Progress
from authmw.revocation.store import SharedStore

# A poll has a deadline of its own; who needs longer than this is taken for dead.
_LONGEST_LEASE_SECONDS = 15
# How often word of the others is looked for; and how often while one of them is about to
# poll, or there are no events yet to go on with.
_FOLLOW_SECONDS = 1.0
_HURRY_SECONDS = 0.2
# How long a process without any events waits for somebody else's first poll.
_PATIENCE_SECONDS = 2.0


class SharedPolling:
    """Polls in turns with the other processes. Not thread-safe: `RevocationFeed` guards it.

    Args:
        store: what the processes share.
        known: what this process knows; grows with what the others publish.
        progress: how far polling has come; moves on with what the others publish.
        poll_interval_seconds: `revocation_poll_interval`.
    """

    def __init__(
        self,
        store: SharedStore,
        known: Knowledge,
        progress: Progress,
        *,
        poll_interval_seconds: int,
    ) -> None:
        lease_seconds = min(poll_interval_seconds, _LONGEST_LEASE_SECONDS)
        self._board = Board(store, lease_seconds=lease_seconds)
        self._known = known
        self._progress = progress
        self._interval = poll_interval_seconds
        self._patience = 2 * lease_seconds + _PATIENCE_SECONDS
        self._waiting_since: float | None = None
        self._notice: Notice | None = None
        self._is_cut_off = False
        self._editions_apart: tuple[str, str] | None = None

    def poll(self, now: float, ask: Callable[[float], None]) -> None:
        """Follow the others, and ask if a poll is due and it is for us to ask.

        Args:
            now: epoch seconds.
            ask: asks the identity service, given `now`, and notes in what is known and in the
                progress what came of it.
        """
        # `ask` is not kept: it is the owner's of this object, and in a cycle of references what
        # the store has open would outlive them both.
        self._follow(now)
        if not self._is_due(now):
            self._waiting_since = None
        elif self._is_cut_off:
            # Nobody else can tell us what we missed, and nobody else waits for our answer.
            self._waiting_since = None
            ask(now)
            self._board.ask_for_all()
        elif self._board.try_lease(now):
            # Whoever held it may have been done only just now.
            posted = self._follow(now)
            if self._is_due(now):
                self._waiting_since = None
                ask(now)
                self._publish(posted, now)
            self._board.end_lease()
        elif self._is_patience_at_end(now):
            self._waiting_since = None
            ask(now)

    def plan(self, now: float) -> float:
        """Return when to call `poll` next, epoch seconds."""
        is_in_a_hurry = self._progress.answered_at is None or self._waiting_since is not None
        poll_at = now + shorten(_HURRY_SECONDS if is_in_a_hurry else _FOLLOW_SECONDS)
        if self._progress.tried_at is not None:
            # A moment after the next poll is due one of us should be there to begin it.
            due_at = self._progress.tried_at + self._interval
            if now < due_at < poll_at:
                return due_at + draw_below(_HURRY_SECONDS)
        return poll_at

    # Whose turn it is

    def _is_due(self, now: float) -> bool:
        return self._progress.is_due(self._interval, now)

    def _is_patience_at_end(self, now: float) -> bool:
        """Whether whoever has the lease has done nothing with it for too long."""
        if self._waiting_since is None:
            self._waiting_since = now
        patience = _PATIENCE_SECONDS if self._progress.answered_at is None else self._patience
        return abs(now - self._waiting_since) >= patience

    # What the others learned, and what they are told

    def _follow(self, now: float) -> Notice | None:
        """Learn what other processes published; return the notice they left."""
        notice = self._board.read_notice()
        if notice is None or notice == self._notice:
            self._is_cut_off = False
            return notice
        self._is_cut_off = bool(notice.edition) and not (
            self._catch_up(notice, now) and self._is_expected(notice.edition)
        )
        if self._is_cut_off:
            return notice
        progress = self._progress
        progress.tried_at = notice.tried_at
        progress.is_forbidden = notice.is_forbidden
        if notice.edition != self._known.window.edition:
            return notice
        is_answer = self._notice is None or self._notice.answered_at != notice.answered_at
        self._notice = notice
        if is_answer and notice.answered_at is not None and notice.covers_to is not None:
            # Another host's clock may be ahead of ours.
            progress.answered_at = min(notice.answered_at, now)
            self._known.move_on(notice.covers_to, now)
            progress.trouble = None
        return notice

    def _catch_up(self, notice: Notice, now: float) -> bool:
        """Know what a notice speaks of; False if there is no way to."""
        if notice.edition == self._known.window.edition:
            return True
        recent = self._board.read_recent()
        if recent is None:
            return False
        full = self._board.read_full() if self._known.needs_full(recent) else None
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

    def _publish(self, posted: Notice | None, now: float) -> None:
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
                    self._board.post_full(full)
                self._board.post_recent(window.make_bulletin(covers_to))
        progress = self._progress
        self._notice = Notice(
            window.edition, covers_to, now, progress.answered_at, progress.is_forbidden
        )
        self._board.post_notice(self._notice)
