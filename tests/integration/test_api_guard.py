"""Who gets past the door of the HTTP interface, and who does not."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.apps import Running, running, write
from support.wait import eventually

from alerts.reading import SECOND
from gateway.api import door
from gateway.api.guard import Guard, is_loopback
from gateway.api.problems import MEDIA_TYPE
from gateway.api.server import PortTaken, application, serve
from gateway.desk import known_people
from gateway.settings import Api

VALUES = {"{site}": "north", "{alarm}": "GT-1.high_high", "{sensor}": "GT-1", "{verb}": "acknowledge"}
WHO = ("nobody", "wrong", "viewer", "officer")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(write(tmp_path), "broker") as each:
        yield each


@contextlib.asynccontextmanager
async def elsewhere(gateway: Running) -> AsyncIterator[httpx.AsyncClient]:
    """The same interface as it behaves on a listener off loopback, without opening one on the test's machine."""
    people = known_people(list(gateway.app.view.sites().values()))
    guarded = Guard(application(gateway.app.view), gateway.app.view, people, loopback=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://gateway.example") as client:
        yield client


async def routes(gateway: Running) -> list[tuple[str, str]]:
    """Method and path of every route there is, so that none that is added later goes untested."""
    paths = application(gateway.app.view).openapi()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    for name, value in VALUES.items():
        found = [(method, path.replace(name, value)) for method, path in found]
    assert not [path for _, path in found if "{" in path]
    return [*found, ("GET", "/openapi.json"), ("GET", "/no/such/page")]


def headers(gateway: Running, who: str) -> dict[str, str]:
    match who:
        case "nobody":
            return {}
        case "wrong":
            return {"Authorization": f"Bearer {gateway.token('li')[:-4]}AAAA"}
        case "viewer":
            return gateway.login("an")
        case _:
            return gateway.login("li")


async def test_on_loopback_reads_are_free_and_every_command_needs_a_token(gateway: Running) -> None:
    for (method, path), who in itertools.product(await routes(gateway), WHO):
        answer = await gateway.client.request(method, path, headers=headers(gateway, who))
        known = who in {"viewer", "officer"}
        assert (answer.status_code == 401) == (method != "GET" and not known), (method, path, who, answer.text)


async def test_off_loopback_everything_but_health_needs_a_token(gateway: Running) -> None:
    async with elsewhere(gateway) as client:
        for (method, path), who in itertools.product(await routes(gateway), WHO):
            answer = await client.request(method, path, headers=headers(gateway, who))
            known = who in {"viewer", "officer"} or path == "/api/v1/health"
            assert (answer.status_code == 401) == (not known), (method, path, who, answer.text)


async def test_a_viewer_may_do_nothing_and_is_told_so(gateway: Running) -> None:
    for method, path in await routes(gateway):
        if method == "POST":
            answer = await gateway.client.post(path, headers=gateway.login("an"))
            assert (answer.status_code, answer.json()["reason"]) == (403, "not_permitted"), path


@pytest.mark.parametrize("text", ["", "Basic bGk6bGk=", "Bearer", "Bearer hzg_", "Bearer hzg_00000000_x", "bearer x_y_z", "Token abc"])
async def test_what_is_no_token_is_refused_with_a_challenge(gateway: Running, text: str) -> None:
    answer = await gateway.client.post("/api/v1/sites/north/alarms/GT-1.high/acknowledge", headers={"Authorization": text})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "token" in answer.json()["detail"]


async def test_a_token_that_is_over_or_whose_person_has_left_is_worth_nothing(gateway: Running) -> None:
    path = "/api/v1/sites/north/alarms/GT-1.high/acknowledge"
    for token in (gateway.token("li", lifetime=0), gateway.token("bo", lifetime=3600 * SECOND)):
        assert (await gateway.client.post(path, headers={"Authorization": f"Bearer {token}"})).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "192.0.2.1", "localhost.evil.example", "", "127.0.0.1.evil.example", "[2001:db8::1]:80"])
async def test_a_page_that_rebinds_its_name_to_this_machine_reads_nothing(gateway: Running, host: str) -> None:
    answer = await gateway.client.get("/api/v1/sites", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "[::1]:8080", "[::1]", "LOCALHOST:1"])
async def test_every_name_of_this_machine_is_served(gateway: Running, host: str) -> None:
    assert (await gateway.client.get("/api/v1/sites", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
async def test_what_a_proxy_on_this_machine_passes_on_needs_a_token(gateway: Running, header: str) -> None:
    """Else a reverse proxy beside the gateway would open a loopback listener to the world."""
    assert (await gateway.client.get("/api/v1/sites", headers={header: "192.0.2.7"})).status_code == 401
    assert (await gateway.client.get("/api/v1/sites", headers={header: "192.0.2.7", **gateway.login("an")})).status_code == 200


async def test_a_body_over_64_kib_is_refused_whether_it_says_its_length_or_not(gateway: Running) -> None:
    path = "/api/v1/sites/north/alarms/GT-1.high/acknowledge"

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * 8192

    for content in (b" " * 65_537, chunks()):
        answer = await gateway.client.post(path, headers=gateway.login("li"), content=content)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/sites/south", 404),
        ("GET", "/api/v1/sites/south/alarms", 404),
        ("GET", "/api/v1/sites/north/sensors/GT-9", 404),
        ("GET", "/api/v1/sites/north/alarms/GT-1.high", 404),
        ("GET", "/api/v1/sites/north/alarms?limit=0", 422),
        ("GET", "/api/v1/sites/north/alarms?state=cheerful", 422),
        ("GET", "/api/v1/sites/north/alarms?zones=pumps", 422),
        ("DELETE", "/api/v1/sites/north", 405),
        ("POST", "/api/v1/sites/south/alarms/GT-1.high/acknowledge", 404),
        ("POST", "/api/v1/sites/north/sensors/GT-9/verify", 404),
    ],
)
async def test_every_error_is_a_problem_detail(gateway: Running, method: str, path: str, status: int) -> None:
    answer = await gateway.client.request(method, path, headers=gateway.login("li"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["status"] == status
    assert answer.json()["title"]


async def test_a_port_that_is_taken_is_said_in_one_sentence(gateway: Running) -> None:
    taken = Api(listen=f"127.0.0.1:{gateway.app.http.port}")
    with pytest.raises(PortTaken, match=f"cannot listen on {taken.listen}: Address already in use"):
        await serve(gateway.app.view, taken).start()


async def test_it_stops_within_seconds_though_a_client_sends_half_a_request(gateway: Running) -> None:
    server = serve(gateway.app.view, Api(listen="127.0.0.1:0"))
    await server.start()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = "POST /api/v1/sites/north/alarms/GT-1.high/acknowledge HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10"
    writer.write(f"{head}\r\nAuthorization: {gateway.login('li')['Authorization']}\r\n\r\nhalf".encode())
    await writer.drain()
    await eventually(lambda: server.busy)
    async with asyncio.timeout(10):
        await server.stop()
    writer.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


async def test_connections_are_bounded_and_a_client_that_says_nothing_is_cut_off(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever reaches the port could use up the file descriptors that the alarm path needs."""
    monkeypatch.setattr(door, "LOOK_EVERY", 0.2)
    monkeypatch.setattr(door, "AT_ONCE", 5)
    opened = [await asyncio.open_connection("127.0.0.1", gateway.app.http.port) for _ in range(9)]
    async with asyncio.timeout(20):
        for reader, writer in opened:
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
    assert (await gateway.client.get("/api/v1/sites")).status_code == 200


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("gateway.example", False), ("", False)],
)
def test_loopback_is_what_cannot_be_reached_from_elsewhere(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here
