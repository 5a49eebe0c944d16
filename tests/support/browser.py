"""Chromium without a window, driven by the DevTools protocol through a pipe.

It is Debian's (`.ci/need browser`), found as `chromium` on the path; nothing is downloaded.
https://chromedevtools.github.io/devtools-protocol/ has the commands.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Any, Self

_ANSWER_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.05


def find_browser() -> str | None:
    """Return the path of Chromium; None: it is not installed."""
    return shutil.which("chromium")


class BrowserError(Exception):
    """The browser refused a command, did not answer, or a script in the page failed."""


class Browser:
    """A browser with one page, for the time of a `with` block.

    Args:
        width, height: of its window, CSS pixels.

    Attributes:
        problems: what pages have complained about: errors of scripts and of the console, such as
            violations of a Content-Security-Policy.
    """

    def __init__(self, *, width: int = 1200, height: int = 900) -> None:
        self._size = width, height
        self.problems: list[str] = []
        self._number = 0
        self._session: str | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        self._profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        to_browser, self._commands = os.pipe()
        self._answers, from_browser = os.pipe()
        command = [
            find_browser() or "chromium",
            "--headless",
            # Tests run as root in containers, and load pages of this repository alone.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            "--no-proxy-server",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._profile.name}",
            "about:blank",
        ]
        # The browser reads commands from descriptor 3, and writes answers to 4.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[to_browser, from_browser],
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self.call(f"{domain}.enable")
            self.resize(*self._size)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        # It ends when nobody is at the other end.
        os.close(self._commands)
        os.close(self._answers)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command; return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        while True:
            answer = self._receive(method)
            if answer.get("id") == self._number:
                break
            self._note(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self, method: str) -> dict[str, Any]:
        until = time.monotonic() + _ANSWER_SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], until - time.monotonic())
            data = os.read(self._answers, 1 << 16) if ready else b""
            if not data:
                raise BrowserError(f"{method}: no answer")
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        received: dict[str, Any] = json.loads(message)
        return received

    def _note(self, event: dict[str, Any]) -> None:
        said = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(said["exceptionDetails"]))
            case "Log.entryAdded" if said["entry"]["level"] in ("error", "warning"):
                self.problems.append(said["entry"]["text"])
            case "Runtime.consoleAPICalled" if said["type"] in ("error", "warning", "assert"):
                self.problems.append(json.dumps(said["args"]))

    def open(self, url: str) -> None:
        """Load a page, and wait until it is there."""
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression says in the page; a promise is awaited."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise BrowserError(json.dumps(done["exceptionDetails"]))
        return done["result"].get("value")

    def wait_for(self, condition: str, seconds: float = 30.0) -> None:
        """Wait until a JavaScript expression is true."""
        until = time.monotonic() + seconds
        while not self.evaluate(condition):
            if time.monotonic() > until:
                raise BrowserError(f"never true: {condition}")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def press(self, key: str, *, text: str = "", code: int = 0) -> None:
        """Press and release a key: Tab, Enter, ArrowDown, " " or a character."""
        code = code or {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40}.get(key, 0)
        text = text or {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        common: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def resize(self, width: int, height: int) -> None:
        """Give the page a size, CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def take_picture(self) -> bytes:
        """Return the page as a PNG, as large as its window."""
        shot = self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])
