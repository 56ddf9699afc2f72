"""A real browser, headless Chromium, asked over its DevTools protocol what it sees of a page."""

import asyncio
import base64
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import ClientSession, ClientWebSocketResponse

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--hide-scrollbars", "--remote-debugging-port=0"),
)
_SECONDS = 30.0


class Browser:
    """One Chromium, ended with the `with` block; its tabs are looked at one after the other."""

    def __init__(self) -> None:
        program = next((found for name in _NAMES if (found := shutil.which(name))), None)
        assert program, "these tests look at pages with Chromium, which is not there: apt-get install chromium"
        self._profile = Path(tempfile.mkdtemp(prefix="replay-chromium-"))
        self._runner = asyncio.Runner()
        self._process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()
        self._process.terminate()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def look(self, page: Path, question: str = "0", *, width: int = 1280, scheme: str = "light") -> "Sight":
        """Open a page as wide as that and in `light` or `dark`; return what is seen, and a question's answer.

        Args:
            page: an HTML file.
            question: a JavaScript expression, evaluated in the page once it is loaded.
            width: pixels of the window.
            scheme: what the reader prefers, `light` or `dark`.
        """
        return self._runner.run(asyncio.wait_for(self._look(page, question, width, scheme), _SECONDS))

    def photograph(self, page: Path, *, width: int = 1280, scheme: str = "light") -> bytes:
        """Return a picture (PNG) of a whole page, down to its end."""
        return self._runner.run(asyncio.wait_for(self._photograph(page, width, scheme), _SECONDS))

    async def _look(self, page: Path, question: str, width: int, scheme: str) -> "Sight":
        async with self._tab(page, width, scheme) as tab:
            return Sight(await tab.ask(question), tab.errors, tab.requests)

    async def _photograph(self, page: Path, width: int, scheme: str) -> bytes:
        async with self._tab(page, width, scheme) as tab:
            return await tab.picture()

    @asynccontextmanager
    async def _tab(self, page: Path, width: int, scheme: str) -> AsyncIterator["_Tab"]:
        async with ClientSession() as session, session.ws_connect(self._address(), max_msg_size=0) as socket:
            tab = _Tab(socket)
            await tab.open(width, scheme)
            await tab.go(page.as_uri())
            yield tab
            await tab.close()

    def _address(self) -> str:
        """Return where the browser listens, once it has written it down."""
        written = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"Chromium ended with {self._process.returncode}"
            lines = written.read_text().splitlines() if written.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.02)
        raise AssertionError("Chromium does not say where it listens")


class Sight(NamedTuple):
    """What was seen of a page: the answer to a question, errors of the console, and the URLs that were asked for."""

    answer: Any
    errors: list[str]
    requests: list[str]


class _Tab:
    """One tab, over the browser's socket."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._target = ""
        self._session: str | None = None
        self._number = 0
        self._events: list[str] = []

    async def open(self, width: int, scheme: str) -> None:
        self._target = (await self._call("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self._call("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self._call(f"{domain}.enable")
        await self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 640
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self._call("Emulation.setEmulatedMedia", media="screen", features=features)

    async def go(self, url: str) -> None:
        await self._call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._events:
            self._note(await self._socket.receive_json())

    async def ask(self, question: str) -> Any:
        answer = await self._call("Runtime.evaluate", expression=question, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def close(self) -> None:
        self._session = None
        await self._call("Target.closeTarget", targetId=self._target)

    async def picture(self) -> bytes:
        taken = await self._call("Page.captureScreenshot", captureBeyondViewport=True, **await self._whole())
        return base64.b64decode(taken["data"])

    async def _whole(self) -> dict[str, Any]:
        size = (await self._call("Page.getLayoutMetrics"))["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters} | session)
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                result = message["result"]
                assert isinstance(result, dict)
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method, said = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(str(said["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if said["type"] in ("error", "warning", "assert"):
                self.errors.append(str(said["args"]))
            case "Log.entryAdded":
                self.errors.append(said["entry"]["text"])
