"""The HTTP interface over a real uvicorn, in front of a gateway's real parts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.apps import Running, gateway_file, running, site_file, write
from support.servers import mosquitto
from support.sites import sensor
from support.wait import eventually

from alerts.alarm import Refusal
from gateway.api import problems
from gateway.api.models import AlarmBody


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(write(tmp_path), "broker") as each:
        yield each


async def raised(gateway: Running, *names: str) -> None:
    """GT-1 stands at 60 %LEL, above both limits, and is listed."""
    for name in names or ("GT-1",):
        gateway.reads(60.0, name=name)

    async def listed() -> bool:
        page = await gateway.get("/sites/north/alarms")
        return {f"{name}.high_high" for name in names or ("GT-1",)} <= {each["alarm"] for each in page["alarms"]}

    await eventually(listed)


async def test_an_alarm_is_listed_with_every_key_of_its_topic_and_no_other(gateway: Running) -> None:
    await raised(gateway)
    page = await gateway.get("/sites/north/alarms")
    assert [each["alarm"] for each in page["alarms"][:2]] == ["GT-1.high_high", "GT-1.high"]
    assert (page["total"], page["truncated"], page["next_offset"]) == (len(page["alarms"]), False, None)
    first = page["alarms"][0]
    assert set(first) == set(AlarmBody.model_fields)
    assert AlarmBody.model_validate(first).value == 60.0
    assert await gateway.get("/sites/north/alarms/GT-1.high_high") == first


async def test_alarms_can_be_filtered_by_state_tier_and_zone(gateway: Running) -> None:
    await raised(gateway)

    async def found(query: str) -> list[str]:
        return [each["alarm"] for each in (await gateway.get(f"/sites/north/alarms?{query}"))["alarms"]]

    assert await found("tier=red&zone=pumps") == ["GT-1.high_high"]
    assert await found("tier=orange&tier=red&zone=pumps") == ["GT-1.high_high", "GT-1.high"]
    assert await found("zone=elsewhere") == []
    assert await found("state=latched_acknowledged") == []
    assert "GT-1.high_high" in await found("state=active_unacknowledged")


async def test_a_list_that_does_not_fit_is_cut_and_says_where_it_goes_on(tmp_path: Path) -> None:
    names = [f"GT-{number}" for number in range(120)]
    action = "stop loading, close every valve of the manifold, clear the area " * 8
    sensors = [sensor(name, action=action, device=f"rtu-{number}") for number, name in enumerate(names)]
    async with running(write(tmp_path, site_file(*sensors)), "broker") as gateway:
        for number, name in enumerate(names):
            gateway.reads(60.0, name=name, device=f"rtu-{number}")
        await eventually(lambda: gateway.app.core.books["north"].alarms().get("GT-119.high_high"))
        seen: list[str] = []
        offset: int | None = 0
        while offset is not None:
            answer = await gateway.client.get("/api/v1/sites/north/alarms", params={"limit": 500, "offset": offset})
            page = answer.json()
            assert len(answer.content) < 64 * 1024
            assert page["truncated"] == (page["next_offset"] is not None)
            seen += [each["alarm"] for each in page["alarms"]]
            offset = page["next_offset"]
        assert len(seen) == len(set(seen)) == page["total"]
        assert [name for name in seen if name.endswith("high_high")] == seen[:120]


async def test_a_command_is_done_by_whoever_the_token_belongs_to(gateway: Running) -> None:
    await raised(gateway)
    answer = await gateway.post("/sites/north/alarms/GT-1.high_high/acknowledge", "li", by="wang", person="wang", user="wang")
    assert answer.status_code == 200, answer.text
    assert answer.json()["ok"] is True
    stands = answer.json()["alarm"]
    assert (stands["state"], stands["acknowledged_by"]) == ("active_acknowledged", "li")
    assert (await gateway.get("/sites/north/alarms/GT-1.high_high"))["acknowledged_by"] == "li"


async def test_a_command_needs_no_body(gateway: Running) -> None:
    await raised(gateway)
    answer = await gateway.client.post("/api/v1/sites/north/alarms/GT-1.high_high/acknowledge", headers=gateway.login("li"))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("alarms/GT-1.high_high/reset", {}, 409, "still_active"),
        ("alarms/GT-1.high_high/acknowledge", {"sequence": 0, "occurrence": "GT-1.high_high@0"}, 409, "changed"),
        ("alarms/GT-1.high_high/acknowledge", {"at": 1_000_000_000_000}, 409, "too_late"),
        ("alarms/GT-1.high_high/acknowledge", {"alarm": "GT-2.high_high"}, 422, "malformed"),
        ("alarms/GT-1.high_high/acknowledge", {"sequence": "many"}, 422, "malformed"),
        ("alarms/GT-1.high_high/shelve", {}, 422, "malformed"),
        ("alarms/GT-1.high_high/dance", {}, 422, "malformed"),
        ("alarms/GT-1.stuck/acknowledge", {}, 409, "not_active"),
        ("alarms/XX-9.high/acknowledge", {}, 404, "unknown_alarm"),
        ("sensors/GT-1/inhibit", {"permit": "P-1"}, 403, "not_permitted"),
    ],
)
async def test_a_refusal_names_its_reason_and_changes_nothing(gateway: Running, path: str, body: dict[str, object], status: int, reason: str) -> None:
    await raised(gateway)
    before = await gateway.get("/sites/north/alarms")
    answer = await gateway.post(f"/sites/north/{path}", "li", **body)
    assert (answer.status_code, answer.json().get("reason"), answer.json()["status"]) == (status, reason, status), answer.text
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    assert answer.json()["detail"]
    assert await gateway.get("/sites/north/alarms") == before


async def test_acknowledging_twice_is_refused_as_done_already(gateway: Running) -> None:
    await raised(gateway)
    path = "/sites/north/alarms/GT-1.high_high/acknowledge"
    assert (await gateway.post(path)).status_code == 200
    again = await gateway.post(path)
    assert (again.status_code, again.json()["reason"]) == (409, "already")


def test_every_reason_has_a_status_and_a_sentence() -> None:
    assert set(problems.STATUS) == set(problems.SENTENCES) == set(Refusal)
    assert set(problems.STATUS.values()) <= {403, 404, 409, 422}


async def test_a_sensor_shows_its_value_unit_health_and_limits(gateway: Running) -> None:
    unheard = await gateway.get("/sites/north/sensors/GT-2")
    assert (unheard["value"], unheard["health"], unheard["sick"], unheard["age"]) == (None, "unheard", [], None)
    gateway.reads(12.5)

    async def heard() -> Any:
        found = await gateway.get("/sites/north/sensors/GT-1")
        return found if found["value"] is not None else None

    shown = await eventually(heard)
    assert (shown["value"], shown["unit"], shown["health"], shown["good"]) == (12.5, "%LEL", "healthy", True)
    assert (shown["zone"], shown["commissioned"], shown["range"]) == ("pumps", "2026-01-15", [0.0, 100.0])
    assert shown["limits"] == {"low_low": None, "low": None, "high": 25.0, "high_high": 50.0}
    page = await gateway.get("/sites/north/sensors?limit=1&offset=1")
    assert [each["sensor"] for each in page["sensors"]] == ["GT-2"]
    assert (page["total"], page["truncated"]) == (2, False)


async def test_a_site_shows_the_worst_color_and_counts(gateway: Running) -> None:
    assert (await gateway.get("/sites"))[0]["color"] == "grey"
    await raised(gateway)
    found = await gateway.get("/sites/north")
    assert (found["color"], found["name"], found["sensors"], found["active"]) == ("red", "北罐区", 2, 2)
    assert [(zone["zone"], zone["color"], zone["in_service"], zone["of"]) for zone in found["zones"]] == [("pumps", "red", 1, 2)]
    assert (await gateway.get("/sites")) == [{key: found[key] for key in ("site", "name", "timezone", "color", "active", "unacknowledged", "sensors")}]


async def test_a_site_shows_its_register_of_hazard_sources_and_the_zones_of_each(tmp_path: Path) -> None:
    register = [{"id": "MH-1", "name": "罐区", "level": 2, "filing": "2024-117", "responsible": "wang"}]
    registered = {"sources": register, "zones": [{"id": "pumps", "source": "MH-1"}]}
    async with running(write(tmp_path, site=site_file(**registered)), "broker") as gateway:
        found = await gateway.get("/sites/north")
    responsible = {"person": "wang", "name": "王主任"}
    assert found["sources"] == [{"source": "MH-1", "name": "罐区", "level": 2, "filing": "2024-117", "responsible": responsible, "zones": ["pumps"]}]
    assert found["zones"][0]["source"] == "MH-1"


async def test_a_loop_current_arrives_as_a_value_and_a_state_by_its_name(tmp_path: Path) -> None:
    loop = sensor("GT-1", signal={"kind": "current", "map": "msa-ultima-x"})
    valve = {"id": "XV-1", "kind": "digital_state", "zone": "pumps", "device": "rtu-1", "interval": "1s", "states": {"0": "open", "1": "shut"}}
    path = write(tmp_path, site=site_file(loop, valve))
    site = tmp_path / "north.yaml"
    site.write_text(re.sub(r'"([01])":', r"\1:", site.read_text(encoding="utf-8")), encoding="utf-8")  # JSON has no numbers as keys
    async with running(path, "broker") as gateway:
        gateway.reads(6.0, name="GT-1")
        gateway.reads(1.0, name="XV-1")

        async def heard() -> bool:
            return all(each["arrival"] is not None for each in (await gateway.get("/sites/north/sensors"))["sensors"])

        await eventually(heard)
        page = await gateway.get("/sites/north/sensors")
        assert [(each["value"], each["state"]) for each in page["sensors"]] == [(12.5, None), (1.0, "shut")]


async def test_the_rota_names_who_is_on_duty_but_not_their_numbers(gateway: Running) -> None:
    found = await gateway.get("/sites/north/rota")
    assert {"role": "officer", "on_duty": [{"person": "li", "name": "李工"}]} in found["duty"]
    assert found["gaps"] == []


async def test_notifications_show_who_was_told_and_what_became_of_it(gateway: Running) -> None:
    await raised(gateway)

    async def told() -> list[dict[str, object]]:
        return [each for each in (await gateway.get("/sites/north/notifications"))["notifications"] if each["alarm"] == "GT-1.high_high"]

    found = await eventually(told)
    assert {(each["person"], each["kind"]) for each in found} >= {("li", "raise"), ("wang", "inform")}
    assert {each["state"] for each in found} <= {"open", "failed", "expired"}
    assert all("to" not in each for each in found)
    newest = await gateway.get("/sites/north/notifications?limit=1")
    assert (len(newest["notifications"]), newest["truncated"]) == (1, True)


async def test_the_balance_closes(gateway: Running) -> None:
    gateway.reads(1.0, 2.0, 3.0)
    await eventually(lambda: gateway.app.spool.balance().spooled == 3)
    found = await gateway.get("/balance")
    assert (found["received"], found["spooled"], found["closes"]) == (3, 3, True)


async def test_without_the_broker_health_is_503_and_says_so(gateway: Running) -> None:
    answer = await gateway.client.get("/api/v1/health")
    assert answer.status_code == 503
    assert answer.json()["ingesting"] is False
    assert list(answer.json()["obstacles"]) == ["link"]


async def test_with_the_broker_health_is_200(tmp_path: Path) -> None:
    async with mosquitto() as broker, running(write(tmp_path, gateway=gateway_file(broker.url))) as gateway:

        async def ingesting() -> Any:
            answer = await gateway.client.get("/api/v1/health")
            return answer.json() if answer.status_code == 200 else None

        found = await eventually(ingesting)
        assert (found["ingesting"], found["obstacles"], found["link"]) == (True, {}, "up")


async def test_a_gateway_that_does_not_judge_is_not_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAZGATE_FAULT", "detect")
    async with mosquitto() as broker, running(write(tmp_path, gateway=gateway_file(broker.url))) as gateway:

        async def up() -> Any:
            found = (await gateway.client.get("/api/v1/health")).json()
            return found if found["link"] == "up" else None

        found = await eventually(up)
        assert (found["ingesting"], found["faults"], list(found["obstacles"])) == (False, ["detect"], ["detection"])
        assert (await gateway.client.get("/api/v1/health")).status_code == 503


async def test_metrics_are_prometheus_text(gateway: Running) -> None:
    await raised(gateway)
    answer = await gateway.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'hazgate_alarms{site="north",tier="red",state="active_unacknowledged"} 1' in answer.text.splitlines()
    assert 'hazgate_sensors_heard{site="north"} 1' in answer.text.splitlines()


async def test_the_description_is_served_and_pages_that_load_from_elsewhere_are_not(gateway: Running) -> None:
    described = (await gateway.client.get("/openapi.json")).json()
    assert "/api/v1/sites/{site}/alarms/{alarm}/{verb}" in described["paths"]
    assert (await gateway.client.get("/docs")).status_code == 404
    assert (await gateway.client.get("/redoc")).status_code == 404
