"""The HTTP interface: FastAPI behind the guard, on uvicorn in the gateway's own loop.

uvicorn runs with h11 (httptools is no faster for the few requests a desk makes, and one dependency more), without
web sockets, access log and signal handlers of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI

from gateway.api import alarm_routes, gateway_routes, problems, sensor_routes, site_routes
from gateway.api.commands import REFUSALS
from gateway.api.door import Door
from gateway.api.guard import Guard, is_loopback
from gateway.desk import known_people
from gateway.settings import Api
from gateway.view import View

PREFIX: Final = "/api/v1"
STOP_WITHIN: Final = 2
"""Seconds that requests under way have to end."""


class PortTaken(OSError):
    """The address of the interface cannot be listened on. Its text is one sentence."""


def application(view: View) -> FastAPI:
    """The interface without the guard, ready to answer: what FastAPI would do at the first request would hold up alarms then."""
    app = FastAPI(title="hazgate", version=view.version, openapi_url="/openapi.json", docs_url=None, redoc_url=None)
    app.state.view = view
    problems.install(app)
    app.include_router(gateway_routes.root)
    for each in (gateway_routes, site_routes, sensor_routes, alarm_routes):
        app.include_router(each.router, prefix=PREFIX, responses=REFUSALS)
    app.middleware_stack = app.build_middleware_stack()
    app.openapi()
    return app


class Server:
    """One listener. `start` returns when connections are taken; `stop` within a few seconds, whatever clients do."""

    def __init__(self, view: View, listen: Api) -> None:
        self._listen = listen
        people = known_people(list(view.sites().values()))
        guarded = Guard(application(view), view, people, loopback=is_loopback(listen.host))
        self._config = uvicorn.Config(
            guarded,
            loop="none",
            http=Door,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=STOP_WITHIN,
        )
        self._server: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0
        """Where it listens, once started."""

    @property
    def busy(self) -> int:
        """Requests under way."""
        return 0 if self._server is None else len(self._server.server_state.tasks)

    async def start(self) -> None:
        """Listen. Raises PortTaken."""
        listener = _bind(self._listen)
        self.port = int(listener.getsockname()[1])
        self._server = _Uvicorn(self._config)
        self._task = asyncio.create_task(self._server.serve([listener]), name="http")
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Take no more connections, let what is under way end, then cut it off."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task


def serve(view: View, listen: Api) -> Server:
    """The interface of a gateway, not started yet."""
    return Server(view, listen)


class _Uvicorn(uvicorn.Server):
    """uvicorn says when it listens, and leaves signals to the gateway."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: the gateway stops its parts in its own order."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.listening.set()


def _bind(listen: Api) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PortTaken(error.errno, f"cannot listen on {listen.listen}: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTaken(error.errno, f"cannot listen on {listen.listen}: {error.strerror}") from error
    listener.setblocking(False)
    return listener
