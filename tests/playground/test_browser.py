"""The page as people use it, in Chromium."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.playground.modes import MODES
from authmw.playground.server import Playground
from tests.playground.conftest import Client
from tests.playground.page import Page
from tests.playground.test_modes import run_curl
from tests.support.browser import Browser, find_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_browser() is None, reason="needs chromium: .ci/need browser"),
]

FORGED = "X-Roles: admin\nX-User-Name: root\nX-Hint: mine"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, playground: Playground) -> Iterator[Page]:
    browser.resize(1200, 900)
    browser.problems.clear()
    yield Page(browser, playground.url)
    # No error of a script, and nothing that the policy had to refuse.
    assert browser.problems == []


@pytest.mark.parametrize(
    ("mode", "persona", "new", "status"),
    [
        ("remote", "member", False, "200 OK"),
        ("offline", "admin", False, "200 OK"),
        ("issuer", "reader", False, "200 OK"),
        ("identity-down", "member", False, "200 OK"),
        ("identity-down", "member", True, "503 Service Unavailable"),
        ("revoked", "member", False, "401 Unauthorized"),
        ("cut-off", "guest", False, "200 OK"),
        ("stale-bundle", "member", False, "503 Service Unavailable"),
    ],
)
def test_the_page_shows_what_the_middleware_decided(
    page: Page,
    client: Client,
    mode: str,
    persona: str,
    new: bool,  # noqa: FBT001 - a column of the table
    status: str,
) -> None:
    page.send(mode=mode, persona=persona, new_token=new, headers=FORGED)
    assert page.text("mode-description") == MODES[mode].description
    assert page.text("verdict").startswith(f"{status}: ")
    is_rejected = not status.startswith("200")
    assert [state for _, state, _ in page.stages()].count("refused") == 2 * is_rejected
    assert page.rows("sent") == [
        ["X-Roles", "admin", "removed"],
        ["X-User-Name", "root", "removed"],
        ["X-Hint", "mine", "not passed on" if is_rejected else "passed on"],
    ]
    # What the filter decides when it gets the same request from another client.
    again, _, body = run_curl(page.text("curl"))
    assert again == int(status[:3])
    assert page.text("response").endswith(body)
    got = {name: value for name, value, _ in page.rows("service")}
    shown = client.send(mode, persona, new_token=new, headers=[["X-Hint", "mine"]])
    assert got.keys() == {one["name"] for one in shown["service"] or ()}
    assert got.get("X-Roles") == next(
        (one["value"] for one in shown["service"] or () if one["name"] == "X-Roles"), None
    )
    assert [state for _, state, _ in page.stages()] == [one["state"] for one in shown["stages"]]


def test_every_choice_of_the_page_can_be_sent(page: Page) -> None:
    for field in ("persona", "mode", "method"):
        choices = page.browser.evaluate(
            f"[...document.getElementById('{field}').options].map(o => o.value)"
        )
        assert choices
        for choice in choices:
            page.send(**{field: choice})
            assert page.text("problem") == ""
            assert len(page.stages()) == 5


def test_what_was_sent_is_shown_as_text(page: Page) -> None:
    attack = "<img src=x onerror=\"document.title='taken'\">"
    page.send(headers=f"X-Hint: {attack}", path="/health")
    assert ["X-Hint", attack, "passed on"] in page.rows("sent")
    assert ["X-Hint", attack, "client"] in page.rows("service")
    assert page.browser.evaluate("document.images.length") == 0
    assert page.browser.evaluate("document.title") == "authmw playground"


@pytest.mark.parametrize(
    "attack",
    [
        "document.body.innerHTML = '<b>'",
        "document.body.setAttribute('onclick', 'alert(1)')",
        "document.createElement('script').src = 'https://evil.example/'",
        "document.createElement('script').text = 'alert(1)'",
    ],
)
def test_the_policy_stops_scripts_that_are_made_of_text(
    browser: Browser, playground: Playground, attack: str
) -> None:
    Page(browser, playground.url)
    tried = f"(() => {{ try {{ {attack}; }} catch (error) {{ return error.name; }} }})()"
    assert browser.evaluate(tried) == "TypeError"
    browser.problems.clear()


def test_it_can_be_used_by_keyboard_alone(page: Page) -> None:
    browser = page.browser
    order = []
    for _ in range(7):
        browser.press("Tab")
        order.append(page.focused())
    assert order == ["mode", "persona", "method", "path", "headers", "new-token", "send"]
    browser.press(" ")
    page.wait_for_answer()
    browser.wait_for("document.getElementById('verdict').innerText.startsWith('200 OK')")
    # The focus stays, so that the next request is one key away.
    assert page.focused() == "send"
    for _ in range(3):
        browser.press("Tab")
    assert page.focused() == "curl"
    browser.evaluate("document.getElementById('mode').focus()")
    browser.press("ArrowDown")
    assert browser.evaluate("document.getElementById('mode').value") == "offline"
    assert page.text("mode-description") == MODES["offline"].description
    browser.evaluate("document.getElementById('path').select()")
    browser.type("/v1/unknown")
    browser.press("Enter")
    browser.wait_for("document.getElementById('verdict').innerText.startsWith('404')")
    assert "/modes/offline/v1/unknown" in page.text("curl")


def test_each_field_has_a_label_and_each_result_a_heading(page: Page) -> None:
    page.send()
    unlabelled = page.browser.evaluate(
        "[...document.querySelectorAll('input, select, textarea')]"
        ".filter(e => !e.labels.length || !e.labels[0].innerText.trim()).map(e => e.id)"
    )
    assert unlabelled == []
    assert page.browser.evaluate("document.documentElement.lang") == "en"
    headings = page.browser.evaluate("[...document.querySelectorAll('h2')].map(e => e.innerText)")
    assert [one.split(" (")[0] for one in headings[1:4]] == [
        "What the middleware did",
        "Forged headers",
        "What the service got",
    ]
    assert page.browser.evaluate("document.getElementById('verdict').role") == "status"


@pytest.mark.parametrize("mode", ["offline", "identity-down"])
def test_it_fits_into_a_narrow_window(page: Page, mode: str) -> None:
    page.browser.resize(400, 800)
    page.send(mode=mode, new_token=True, headers=f"X-Hint: {'long' * 200}")
    assert page.stages()
    wide = page.browser.evaluate(
        "[document.documentElement.scrollWidth, ...[...document.querySelectorAll('main *')]"
        ".map(e => e.getBoundingClientRect().right)].filter(x => x > 400.5)"
    )
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(page: Page, scheme: str) -> None:
    page.browser.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    try:
        for persona in ("member", "nobody"):
            page.send(persona=persona)
            assert page.browser.evaluate(_FAINT_TEXTS) == []
    finally:
        page.browser.call("Emulation.setEmulatedMedia", features=[])


# Texts with a contrast below 4.5 (WCAG 2.2, success criterion 1.4.3).
_FAINT_TEXTS = """(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = parse(color).map((one) => one / 255)
      .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const back = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (parse(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.offsetParent
      && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((e) => {
      const [high, low] = [light(getComputedStyle(e).color), light(back(e))].sort((a, b) => b - a);
      return [e.tagName, e.innerText, (high + 0.05) / (low + 0.05)];
    })
    .filter((row) => row[2] < 4.5);
})()"""


def test_the_curl_line_can_be_copied(page: Page, playground: Playground) -> None:
    page.send()
    page.browser.call(
        "Browser.grantPermissions",
        origin=playground.url.rstrip("/"),
        permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
    )
    page.browser.evaluate("document.getElementById('copy').click()")
    page.browser.wait_for("document.getElementById('copy').innerText === 'Copied'")
    copied = page.browser.evaluate("navigator.clipboard.readText()")
    assert copied == page.browser.evaluate("document.getElementById('curl').textContent")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ("no header", '"no header" is no header: write "Name: value"'),
        ("Host: evil.example", "Host is left to the client"),
        ("X-Auth-Token: mine", "X-Auth-Token brings the persona's token"),
    ],
)
def test_what_cannot_be_sent_is_explained(page: Page, headers: str, said: str) -> None:
    page.send(headers=headers)
    assert page.text("problem").startswith(said)
    page.browser.problems.clear()  # the browser tells its console of each 400


def test_a_demo_that_has_ended_is_named(browser: Browser, tmp_path: Path) -> None:
    with Playground(tmp_path) as playground:
        page = Page(browser, playground.url)
    page.send()
    assert page.text("problem") == "The demo does not answer: has it ended?"
    browser.problems.clear()


def test_times_are_those_of_the_middleware(page: Page) -> None:
    began = time.monotonic()
    page.send(mode="offline", new_token=True)
    took = (time.monotonic() - began) * 1000
    shown = page.text("total")
    assert shown.endswith(" in all)")
    number, unit = shown[1:].split(" ")[:2]
    milliseconds = float(number) / {"ms": 1, "µs": 1000}[unit]
    assert 0 < milliseconds < took
