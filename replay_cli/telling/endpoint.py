"""What a run answers over HTTP: `/metrics` for Prometheus, and `/healthz` for whoever restarts what hangs."""

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple, Self

from replay_cli.telling.metrics import CONTENT_TYPE

_PATIENCE = 5.0
"""Seconds that a question may take to arrive."""
_AT_ONCE = 8
"""Questions that are answered at once; more are turned away."""


class Health(NamedTuple):
    """Whether a run makes headway or rightly waits, and what there is to say of it."""

    is_good: bool
    document: dict[str, Any]


class Endpoint:
    """Answers from threads of its own until it is closed; a context manager.

    Args:
        host: where it listens.
        port: 0 takes a free one.
        metrics: returns the metrics as they are now; from any thread.
        health: returns the health as it is now; likewise.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, host: str, port: int, metrics: Callable[[], bytes], health: Callable[[], Health]) -> None:
        self._server = _Server(host, port, _handler(metrics, health))
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # that of HTTP asks the network for a name that nobody needs

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who went away before the answer."""


def _handler(metrics: Callable[[], bytes], health: Callable[[], Health]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE
        server_version = "replay"
        sys_version = ""

        def do_GET(self) -> None:  # as the library calls it
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE, metrics())
            elif path == "/healthz":
                found = health()
                body = json.dumps(found.document).encode() + b"\n"
                self._answer(200 if found.is_good else 503, "application/json", body)
            else:
                self._answer(404, "text/plain; charset=utf-8", b"there are /metrics and /healthz\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # as the library calls it
            """Log nothing: who asks is no event of the run."""

    return Handler
