"""The webhook channel against a real HTTP server: what counts as delivered, what may be tried again, what stays secret."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.servers import free_port
from support.sink import Answer, Sink

from adapters.notify.webhook import Webhook, WebhookSettings
from alerts.alarm import NoticeKind
from alerts.ports import Delivery, HazgateError, Notice, Permanent, Transient
from alerts.reading import SECOND

NOTICE = Notice("north", "GT-101.high_high", "GT-101.high_high@41", 1, NoticeKind.RAISE, 0, 0, "li", "desk")
DELIVERY = Delivery(NOTICE, b'{"alarm": "GT-101.high_high"}', "41-north/GT-101.high_high@41/li")
TOKEN = "s3cr3t-t0k3n"


@asynccontextmanager
async def channel(url: str | Mapping[str, str], **settings: Any) -> AsyncIterator[Webhook]:
    webhook = Webhook(WebhookSettings.model_validate({"kind": "webhook", "url": url} | settings))
    try:
        yield webhook
    finally:
        await webhook.close()


async def failure(webhook: Webhook) -> HazgateError:
    with pytest.raises(HazgateError) as caught:
        await webhook.send(DELIVERY)
    return caught.value


async def test_the_body_is_posted_as_json_with_its_idempotency_key_and_the_receipt_says_what_came_back(sink: Sink) -> None:
    sink.answers.append(Answer(202, b'{"id": 7}'))
    async with channel(f"{sink.url}/desk", headers={"X-Site": "north"}) as webhook:
        receipt = await webhook.send(DELIVERY)
    (request,) = sink.requests
    assert (request.method, request.path, request.body) == ("POST", "/desk", DELIVERY.body)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == DELIVERY.idempotency_key
    assert request.headers["x-site"] == "north"
    assert receipt.text == '202 {"id": 7}'


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"\xff", b"[1]", b'{"errcode": 0, "errmsg": "ok"}', b'{"code": 0}', b'{"code": "0"}', b'{"code": null}', b"[" * 50_000]
)
async def test_2xx_is_delivered_whatever_the_body_says_besides_a_refusal(body: bytes, sink: Sink) -> None:
    sink.answers.append(Answer(200, body))
    async with channel(sink.url) as webhook:
        assert (await webhook.send(DELIVERY)).text.startswith("200")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"errcode": 310000, "errmsg": "keywords not in content"}', Permanent),
        (b'{"code": 19001, "msg": "param invalid"}', Permanent),
        (b'{"errcode": "93000"}', Permanent),
        (b'{"errcode": [1]}', Permanent),
        (b'{"errcode": 45009, "errmsg": "api freq out of limit"}', Transient),
        (b'{"errcode": -1, "errmsg": "system busy"}', Transient),
        (b'{"code": 11232}', Transient),
    ],
)
async def test_a_200_whose_body_refuses_has_failed_with_the_platforms_own_reason(body: bytes, kind: type[HazgateError], sink: Sink) -> None:
    sink.answers.append(Answer(200, body))
    async with channel(sink.url) as webhook:
        error = await failure(webhook)
    assert type(error) is kind
    assert body.decode() in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Permanent) for status in (302, 400, 401, 404, 410)),
        *((status, Transient) for status in (408, 425, 429, 500, 503)),
    ],
)
async def test_the_status_says_whether_a_later_try_may_succeed(status: int, kind: type[HazgateError], sink: Sink) -> None:
    sink.answers.append(Answer(status, b"no", {"Location": f"{sink.url}/elsewhere"}))
    async with channel(sink.url) as webhook:
        error = await failure(webhook)
    assert type(error) is kind
    assert str(error) == f"answered {status}: no"
    assert len(sink.requests) == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30 * SECOND),
        ({"Retry-After": "99999999999999999999"}, 86_400 * SECOND),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "Fri, 21 Nov 2025 08:01:00 GMT", "Date": "Fri, 21 Nov 2025 08:00:00 GMT"}, 60 * SECOND),
        ({"Retry-After": "Fri, 21 Nov 2025 07:00:00 GMT", "Date": "Fri, 21 Nov 2025 08:00:00 GMT"}, 0),
        ({"Retry-After": "Fri, 21 Nov 2025 08:01:00 GMT"}, None),
    ],
)
async def test_a_wish_to_be_left_alone_for_a_while_is_passed_on(headers: dict[str, str], wait: int | None, sink: Sink) -> None:
    sink.answers.append(Answer(429, b"", headers))
    async with channel(sink.url) as webhook:
        error = await failure(webhook)
    assert isinstance(error, Transient)
    assert error.retry_after == wait


async def test_silence_ends_with_the_timeout_and_the_channel_goes_on(sink: Sink) -> None:
    sink.answers.append(Answer(silent=True))
    async with channel(sink.url, timeout="200ms") as webhook:
        begun = asyncio.get_running_loop().time()
        error = await failure(webhook)
        assert asyncio.get_running_loop().time() - begun < 5
        assert type(error) is Transient
        assert str(error) == "no answer within 0.2 s"
        assert (await webhook.send(DELIVERY)).text == "200"


async def test_an_answer_that_never_ends_is_cut_off_and_counts(sink: Sink) -> None:
    sink.answers.append(Answer(200, b"x" * 10_000_000))
    async with channel(sink.url) as webhook:
        assert len((await webhook.send(DELIVERY)).text) == 204


async def test_a_connection_closed_without_an_answer_may_be_tried_again(sink: Sink) -> None:
    sink.answers.append(Answer(hang_up=True))
    async with channel(sink.url) as webhook:
        assert type(await failure(webhook)) is Transient


async def test_nobody_at_the_address_may_be_tried_again() -> None:
    async with channel(f"http://127.0.0.1:{free_port()}") as webhook:
        error = await failure(webhook)
    assert type(error) is Transient
    assert str(error).startswith("not reached: ")


async def test_sends_run_beside_one_another(sink: Sink) -> None:
    async with channel(sink.url) as webhook:
        receipts = await asyncio.gather(*(webhook.send(DELIVERY) for _ in range(20)))
    assert [receipt.text for receipt in receipts] == ["200"] * 20


async def test_a_proxy_of_the_environment_is_not_asked(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with channel(sink.url) as webhook:
        assert (await webhook.send(DELIVERY)).text == "200"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, f"bad token {TOKEN}".encode()),
        Answer(500, TOKEN.encode()),
        Answer(200, f'{{"errcode": 1, "errmsg": "{TOKEN}"}}'.encode()),
        Answer(hang_up=True),
        Answer(silent=True),
    ],
)
async def test_a_secret_appears_in_no_error_no_representation_and_no_log(answer: Answer, sink: Sink, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "url").write_text(f"{sink.url}/robot?access_token={TOKEN}\n")
    (tmp_path / "header").write_text(f"Bearer {TOKEN}")
    sink.answers.append(answer)
    async with channel({"file": str(tmp_path / "url")}, headers={"Authorization": {"file": str(tmp_path / "header")}}, timeout="2s") as webhook:
        error = await failure(webhook)
        assert sink.requests[0].path == f"/robot?access_token={TOKEN}"
        assert sink.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
        told = "".join([repr(error), str(error), repr(webhook), repr(webhook._settings), caplog.text, *traceback.format_exception(error)])
    assert TOKEN not in told


@pytest.mark.parametrize("url", ["no address, but s3cr3t-t0k3n", "http://[s3cr3t-t0k3n", "ftp://127.0.0.1/s3cr3t-t0k3n", "http://127.0.0.1:1/\0s3cr3t-t0k3n"])
async def test_a_secret_that_is_no_address_is_refused_for_good_without_being_told(url: str, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(url)
    async with channel({"file": str(tmp_path / "url")}) as webhook:
        error = await failure(webhook)
    assert type(error) is Permanent
    assert TOKEN not in "".join(traceback.format_exception(error))


async def test_a_header_that_cannot_be_sent_is_refused_for_good_without_being_told(sink: Sink, tmp_path: Path) -> None:
    (tmp_path / "header").write_text(f"two\nlines {TOKEN}")
    async with channel(sink.url, headers={"Authorization": {"file": str(tmp_path / "header")}}) as webhook:
        error = await failure(webhook)
    assert type(error) is Permanent
    assert TOKEN not in "".join(traceback.format_exception(error))


async def test_a_secret_that_is_not_there_is_named_by_its_place(tmp_path: Path) -> None:
    async with channel({"file": str(tmp_path / "none")}) as webhook:
        error = await failure(webhook)
    assert type(error) is Permanent
    assert str(tmp_path / "none") in str(error)


@pytest.mark.parametrize("url", ["", "desk", "mqtt://127.0.0.1", "http://", "http://[", {"env": "A", "file": "B"}, {"value": TOKEN}])
def test_settings_refuse_what_is_no_address(url: object) -> None:
    with pytest.raises(ValueError, match="url"):
        WebhookSettings.model_validate({"kind": "webhook", "url": url})


def test_settings_have_the_defaults_of_the_documentation() -> None:
    settings = WebhookSettings.model_validate({"kind": "webhook", "url": "http://127.0.0.1:9000/phone"})
    assert (settings.timeout, settings.deadline, settings.limit) == (5 * SECOND, 600 * SECOND, None)
    assert WebhookSettings.model_validate({"kind": "webhook", "url": "http://127.0.0.1", "limit": "60/m"}).limit == 1.0
