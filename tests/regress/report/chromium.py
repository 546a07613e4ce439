"""A headless Chromium, driven over the WebDriver protocol with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the standard's own name of a reference
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


def installed() -> bool:
    """Whether Chromium and its driver are on the path."""
    return all(map(shutil.which, ("chromium", "chromedriver")))


class Browser:
    """One window; a context manager."""

    def __init__(self, profile: Path) -> None:
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._driver.stdout is not None
        port = next(
            line.rsplit(" ", 1)[1].strip(". \n")
            for line in self._driver.stdout
            if "started successfully on port" in line
        )
        self._root = f"http://127.0.0.1:{port}/session"
        options = {
            "args": [*ARGUMENTS, f"--user-data-dir={profile}"],
            "binary": shutil.which("chromium"),
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self._send("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._root += f"/{session['sessionId']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._send("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(timeout=30)
            assert self._driver.stdout is not None
            self._driver.stdout.close()

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            self._root + path,
            method=method,
            data=None if method != "POST" else json.dumps(body or {}).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, page: Path) -> None:
        """Open a file and wait until every chart of it is drawn."""
        self._send("POST", "/url", {"url": page.absolute().as_uri()})
        undrawn = "return document.querySelectorAll('[data-figure]:not(:has(svg))').length"
        for _ in range(200):
            if self.run(undrawn) == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"undrawn charts: {self.log()}")

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self) -> list[dict[str, Any]]:
        """Messages of the console since the last call, errors of loading among them."""
        entries: list[dict[str, Any]] = self._send("POST", "/se/log", {"type": "browser"})
        return entries

    def find(self, selector: str) -> str:
        """A reference to the first element of a CSS selector."""
        found = self._send("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def click(self, selector: str) -> None:
        """Press an element, as a user would."""
        self._send("POST", f"/element/{self.find(selector)}/click")

    def hover(self, selector: str) -> None:
        """Move the mouse onto the middle of an element."""
        script = "document.querySelector(arguments[0]).scrollIntoView({block: 'center'})"
        self.run(script, selector)
        origin = {ELEMENT: self.find(selector)}
        moves = [
            {"type": "pointerMove", "duration": 20, "x": x, "y": 0, "origin": origin}
            for x in (1, 0)
        ]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self._send("POST", "/actions", {"actions": [{**mouse, "actions": moves}]})

    def devtools(self, command: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        body = {"cmd": command, "params": parameters}
        return self._send("POST", "/goog/cdp/execute", body)

    def resize(self, width: int, height: int = 900) -> None:
        """Set the size of the page in CSS pixels, narrower than any window too."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def prefer(self, scheme: str) -> None:
        """Ask for ``light`` or ``dark`` pages."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", media="", features=features)

    def screenshot(self, path: Path) -> None:
        """Write the whole page as a PNG file."""
        taken = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))
