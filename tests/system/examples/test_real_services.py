"""examples/real_services: its one changed line and its verdict; `make services` runs all of it."""

from __future__ import annotations

import pytest

from examples.real_services.one_line import NotOneLine, change_factory, describe_change
from examples.real_services.outcome import Figure, Outcome, Row

THEIRS = "paste.filter_factory = keystonemiddleware.auth_token:filter_factory"
OURS = "paste.filter_factory = authmw:filter_factory"

# In the manner of the services' own files: with options below, with other filters of
# keystonemiddleware beside, at the end without a line break.
PASTE_TEXTS = {
    "options": "[filter:authtoken]\n{}\ndelay_auth_decision = true\n\n[filter:gzip]\n",
    "audit": "[filter:audit]\npaste.filter_factory = keystonemiddleware.audit:filter_factory\n"
    "audit_map_file = /etc/audit.conf\n\n[filter:authtoken]\n{}\n",
    "comment": "# {}\n[filter:authtoken]\n{}\n",
    "end": "[app:main]\nuse = call:app\n\n[filter:authtoken]\n{}",
    "blanks": "[filter:authtoken]\n{}  \n\n\n[filter:cors]\n  spaced =   out\n",
}


@pytest.mark.parametrize("name", PASTE_TEXTS)
def test_exactly_one_line_of_a_paste_file_changes(name: str) -> None:
    before = PASTE_TEXTS[name].replace("{}", THEIRS)

    after = change_factory(before)

    old, new = before.split("\n"), after.split("\n")
    changed = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    assert [(old.strip(), new.strip()) for old, new in changed] == [(THEIRS, OURS)]


def test_the_change_is_shown_with_the_section_it_is_in() -> None:
    before = f"[app:main]\nuse = call:app\n\n[filter:authtoken]\n{THEIRS}\n"

    shown = describe_change(before, change_factory(before), name="paste.ini")

    assert shown.splitlines() == [
        "--- paste.ini",
        "+++ paste.ini",
        "@@ -4,2 +4,2 @@",
        " [filter:authtoken]",
        f"-{THEIRS}",
        f"+{OURS}",
    ]


@pytest.mark.parametrize(
    ("paste", "found"),
    [
        ("[filter:authtoken]\nuse = egg:other#filter\n", 0),
        (f"[filter:authtoken]\n# {THEIRS}\n", 0),
        (f"[filter:authtoken]\n{OURS}\n", 0),
        (f"[filter:one]\n{THEIRS}\n[filter:two]\n{THEIRS}\n", 2),
    ],
)
def test_a_paste_file_without_just_one_such_line_is_left_alone(paste: str, found: int) -> None:
    with pytest.raises(NotOneLine, match=f"found {found}$"):
        change_factory(paste)


def make_outcome(*, peer: int, ours: int, delay: float) -> Outcome:
    names = ["glance peer", "glance offline"]
    row = Row(
        "no token",
        statuses=dict(zip(names, (peer, ours), strict=True)),
        wanted=dict.fromkeys(names, 401),
    )
    figure = Figure("revocation", {names[0]: [9.96], names[1]: [delay]}, "s", 1)
    return Outcome([], names, [row], [figure])


@pytest.mark.parametrize(
    ("outcome", "faults"),
    [
        (make_outcome(peer=401, ours=401, delay=5.0), []),
        (make_outcome(peer=200, ours=401, delay=5.0), []),
        (
            make_outcome(peer=401, ours=200, delay=5.0),
            ["glance offline: no token: 200, NOT 401"],
        ),
        (
            make_outcome(peer=401, ours=401, delay=float("inf")),
            ["glance offline: revocation: never"],
        ),
    ],
)
def test_what_we_answer_wrongly_is_a_fault_and_what_the_peer_does_is_not(
    outcome: Outcome, faults: list[str]
) -> None:
    assert outcome.faults == faults


def test_the_table_shows_what_was_wanted_where_it_differs() -> None:
    table = make_outcome(peer=200, ours=401, delay=5.25).format_table()

    assert table.splitlines() == [
        "==========  ============  ==============",
        "what        glance peer   glance offline",
        "==========  ============  ==============",
        "no token    200, NOT 401  401",
        "revocation  10.0 s        5.2 s",
        "==========  ============  ==============",
    ]
