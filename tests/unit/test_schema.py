"""`hazgate schema`: the names of the interface against the list the outside was given, and the JSON Schemas of both files."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from alerts.site import Site
from gateway.cli import schema
from gateway.config_profiles import profiles
from gateway.settings import Gateway

PROMISED = {
    "states": "normal active_unacknowledged active_acknowledged returned_unacknowledged latched_unacknowledged latched_acknowledged",
    "tiers": "blue yellow orange red",
    "colors": "red orange yellow grey blue green",
    "modes": "real drill test commissioning",
    "conditions": """low_low low high high_high rise fall predicted_low predicted_low_low predicted_high predicted_high_high stel twa fire trip off_normal
        manual unusual_load discrepancy voted rule past_excursion stale offline stuck out_of_range bad_quality current_fault suspect_data drift clock_skew
        calibration_due test_due inhibited commissioning vote_degraded vote_lost low_coverage unknown_sensor broker_lost broker_dropping store_unreachable
        spool_filling balance_open record_lost journal_failed disk_low quarantine_filling canary_failed notification_failed escalation_exhausted
        escalation_missed unreachable_person rota_gap monitoring_gap gateway_clock duplicate_gateway config_changed""",
    "verbs": """acknowledge unacknowledge silence reset shelve unshelve inhibit uninhibit commission replace calibrated verify feedback sign-off attend
        take-over comment raise siren-off permit-open permit-close drill-start drill-stop""",
    "events": """raise re_raise lead return acknowledge unacknowledge expire value_lost over_range subsume reset silence siren_off shelve unshelve inhibit
        uninhibit commission replace calibrated tier_raise configuration attend comment verify feedback sign_off take_over escalate permit_opened
        permit_closed drill_started drill_aborted drill_ended close""",
    "reasons": """unknown_person not_permitted malformed unknown_alarm off changed too_late wrong_code ambiguous permit_required reason_required use_inhibit
        red_cannot_be_shelved red_singly active_alarm too_long coverage response_too_low same_person already not_active over_range value_lost still_active
        no_fresh_reading inside_deadband not_acknowledged not_latched""",
    "quarantine": "unreadable too_large unknown_topic unknown_sensor wrong_device wrong_quantity rejected_by_store",
    "roles": "officer leader engineer manager administrator viewer upstream",
    "suppression": "shelved inhibited commissioning when",
    "verified": "real false test unknown",
    "notifications": "raise again escalate repeat inform over",
    "qualities": "good uncertain bad calibrating test",
    "units": "%LEL LEL.m %VOL ppm mg/m3 Pa kPa MPa bar % m mm degC degF m3/h L/min t/h mA A V W kW m/s",
}
"""The public interface's names, copied; the order counts where several reasons apply."""


def printed(what: str, capsys: pytest.CaptureFixture[str]) -> Any:
    parser = argparse.ArgumentParser()
    schema.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["schema", what])
    assert arguments.run(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_the_names_are_those_that_were_promised(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("events", capsys) == {what: names.split() for what, names in PROMISED.items()}


@pytest.mark.parametrize(("what", "model"), [("config", Gateway), ("site", Site)])
def test_a_schema_describes_every_key_of_its_file_and_allows_no_other(what: str, model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(what, capsys)
    assert set(found["properties"]) == set(model.model_fields)
    assert found["additionalProperties"] is False
    assert all(part.get("additionalProperties") is False for part in found["$defs"].values() if part["type"] == "object")


def test_the_site_schema_is_that_of_the_file_and_not_of_the_completed_model() -> None:
    sensor = schema.site_schema()["$defs"]["Sensor"]
    assert sensor["required"] == ["id", "kind", "zone", "device", "interval"]
    assert sensor["else"] == {"required": ["range"]}, "only a state has a range of its own"
    assert "smoke" in sensor["if"]["properties"]["kind"]["enum"]
    assert sensor["properties"]["kind"]["enum"] == list(profiles())
    assert "default" not in sensor["properties"]["stale"]
    assert "override_reason" in sensor["properties"]["tiers"]["properties"]
    assert sensor["properties"]["interval"]["pattern"].endswith("(ms|s|m|h|d|w|y)$")


def test_the_site_schema_allows_the_short_forms() -> None:
    models = schema.site_schema()["$defs"]
    assert [len(models["Escalation"]["properties"][tier]["anyOf"]) for tier in ("red", "orange", "yellow", "blue")] == [2, 2, 2, 2]
    assert len(models["Person"]["properties"]["role"]["anyOf"]) == 2
    assert models["Person"]["properties"]["reach"]["items"]["anyOf"][0] == {"type": "string"}
    assert {"from", "to"} <= set(models["Shift"]["properties"])
    assert "not" in models["Rule"]["properties"]
