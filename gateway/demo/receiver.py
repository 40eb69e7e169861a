"""The other end of the demo's webhooks: a small HTTP server that takes what people are told, and counts it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from adapters.clock import SystemClock
from gateway.demo.heard import Notice, Told

MOST_BYTES: Final = 64 * 1024


class Receiver:
    """Listens on a free port of loopback; the channel is the first part of the path.

    `told` is called from a thread of the server for each message, once for each `Idempotency-Key`.
    """

    def __init__(self, clock: SystemClock, told: Callable[[Told], None]) -> None:
        self._clock = clock
        self._told = told
        self._keys: set[str] = set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="demo receiver", daemon=True)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def messages(self) -> int:
        """How many came, repeats left out."""
        return len(self._keys)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody any more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def _take(self, channel: str, key: str, body: bytes) -> None:
        told = Told(self._clock.now(), channel, key, Notice.model_validate_json(body))
        with self._lock:
            known = key in self._keys
            self._keys.add(key)
        if not known:
            self._told(told)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"
            timeout = 60

            def do_POST(self) -> None:
                """Take a message."""
                size = int(self.headers.get("Content-Length", "0"))
                try:
                    take(self.path.strip("/"), self.headers.get("Idempotency-Key", ""), self.rfile.read(min(size, MOST_BYTES)))
                except ValueError:
                    self._answer(HTTPStatus.BAD_REQUEST)
                else:
                    self._answer(HTTPStatus.NO_CONTENT)

            def _answer(self, status: HTTPStatus) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name for it
                """Keep quiet: what came is shown on the screen."""

        return Handler
