"""deploy/hazgate.yaml is a gateway file that this version takes."""

from __future__ import annotations

from pathlib import Path

import yaml

from gateway.settings import Commands, Gateway

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def test_the_deployed_gateway_file_is_valid_and_fits_the_broker_beside_it() -> None:
    """It logs in as the gateway of the access list, over the broker's plain loopback listener, and trusts that list's command names."""
    gateway = Gateway.model_validate(yaml.safe_load((DEPLOY / "hazgate.yaml").read_text(encoding="utf-8")))
    assert (gateway.broker.url, gateway.broker.username) == ("mqtt://127.0.0.1:1883", "hazgate")
    assert "\nuser hazgate\n" in (DEPLOY / "hazgate.acl").read_text(encoding="utf-8")
    assert gateway.commands.mqtt is Commands.ACL
    assert gateway.data_dir == Path("/var/lib/hazgate")
