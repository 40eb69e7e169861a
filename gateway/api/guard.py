"""The door of the interface: nothing behind it is reached by a request that may not be there.

It stands before routing, so that a new route cannot forget it. On a loopback listener reads are free and everything
else needs a token; on any other listener everything but health does. A web page in somebody's browser on this machine
reaches the listener too: by another site's name (refused by the Host header) or blindly (a POST without the token does
nothing). A request that came over a proxy came from elsewhere, whatever the listener's address says.
"""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from typing import Final

from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import problems
from gateway.view import View

MAX_BODY: Final = 64 * 1024
"""Bytes of a request's body; a longer one is refused unread."""
OPEN: Final = frozenset({"/api/v1/health"})
"""What needs no token on any listener."""
READS: Final = frozenset({"GET", "HEAD"})
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers by which a proxy says that the request is somebody else's."""
TOO_LARGE: Final = f"a body has at most {MAX_BODY} bytes"
CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


def is_loopback(host: str) -> bool:
    """Whether an address or name, without port, can only be this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """ASGI middleware: checks name, size and token; puts the token's person into `request.state.person`, None without one."""

    def __init__(self, app: ASGIApp, view: View, people: frozenset[str], *, loopback: bool) -> None:
        """`people`: who is known today; a token of somebody who left the files is worth nothing. loopback: where it listens."""
        self._app = app
        self._view = view
        self._people = people
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        person = self._person(headers)
        refused = self._stranger(headers) or self._unknown(scope, headers, person) or _too_large(headers)
        if refused is not None:
            await refused(scope, receive, send)
            return
        scope.setdefault("state", {})["person"] = person
        await self._app(scope, _Bounded(receive), send)

    def _stranger(self, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if self._loopback and not is_loopback(name):
            return problems.answer(HTTPStatus.FORBIDDEN, f"this listener is called localhost, 127.0.0.1 or [::1], not {host[:100]!r}")
        return None

    def _unknown(self, scope: Scope, headers: Headers, person: str | None) -> Response | None:
        if person is not None or scope["path"] in OPEN:
            return None
        if self._loopback and scope["method"] in READS and not any(name in headers for name in FORWARDED):
            return None
        words = "the token is unknown, wrong or over" if "authorization" in headers else "a token is needed: Authorization: Bearer hzg_…"
        return problems.answer(HTTPStatus.UNAUTHORIZED, words, headers=CHALLENGE)

    def _person(self, headers: Headers) -> str | None:
        scheme, _, text = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        person = self._view.desk.tokens.person(text.strip(), self._view.clock.now())
        return person if person in self._people else None


def _too_large(headers: Headers) -> Response | None:
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) <= MAX_BODY:
        return None
    return problems.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE, headers={"Connection": "close"})


class _Bounded:
    """Counts a body that comes without a length, and cuts it off."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = MAX_BODY

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
        return message
