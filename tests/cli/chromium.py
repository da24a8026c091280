"""Chromium without a window, driven over its DevTools protocol: by a pipe, so that it needs no port and no library."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.kit.programs import program
from tests.kit.threads import Task

Answer = dict[str, Any]

_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
_PATIENCE = 120.0  # seconds: it is slow to start on a busy machine


class Tab:
    """A page in a browser of its own, with a profile of its own."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands, self._events = commands, events
        self._number = 0
        self._rest = b""
        self._session: str | None = None
        self.complaints: list[str] = []  # of the console: what a Content-Security-Policy forbids, among them
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> Answer:
        """Call a method of the protocol."""
        self._number += 1
        message: Answer = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, answer
        result: Answer = answer["result"]
        return result

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False, mobile: bool = False) -> None:
        """Show the page in a window of this size, to a reader who prefers dark or light."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if mobile else 1, mobile=mobile,
        )  # fmt: skip
        preferred = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[preferred])
        answer = self.call("Page.navigate", url=url)
        assert not answer.get("errorText"), answer
        while (event := self._next()).get("method") != "Page.loadEventFired":
            self._note(event)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; not subject to the page's policy."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path, top: int = 0, height: int | None = None) -> None:
        """The page, or a part of it, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": top, "width": size["width"], "height": height or size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> Answer:
        while b"\0" not in self._rest:
            data = Task(os.read, self._events, 1 << 20).result(_PATIENCE)
            assert data, "Chromium has ended"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: Answer = json.loads(line)
        return message

    def _note(self, event: Answer) -> None:
        if event.get("method") == "Log.entryAdded":
            self.complaints.append(event["params"]["entry"]["text"])


@contextlib.contextmanager
def chromium(folder: Path, *options: str) -> Iterator[Tab]:
    """A tab of a new Chromium, whose home is this folder. The test is skipped where there is no Chromium."""
    command = [program("chromium", "chromium"), *_OPTIONS, f"--user-data-dir={folder / 'profile'}", *options]
    with contextlib.ExitStack() as stack:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        for end in (ours_out, ours_in):
            stack.callback(os.close, end)
        # It reads commands from 3 and writes to 4: out of the way, before they are these.
        commands, events = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out))
        process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{events}', "bash", *command],
            env={**os.environ, "HOME": str(folder)},
            pass_fds=(commands, events),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out, commands, events):
            os.close(end)
        stack.callback(process.wait)
        stack.callback(process.kill)
        yield Tab(ours_out, ours_in)
