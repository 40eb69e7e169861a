"""`broker:` of the gateway file: what it accepts, what it refuses and with which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.mqtt import BrokerSettings
from alerts.reading import SECOND


def settings(url: str, **keys: Any) -> BrokerSettings:
    return BrokerSettings.model_validate({"url": url} | keys)


@pytest.mark.parametrize(
    ("url", "address", "tls"),
    [
        ("mqtt://127.0.0.1:1884", ("127.0.0.1", 1884), False),
        ("mqtt://broker.plant", ("broker.plant", 1883), False),
        ("mqtts://broker.plant/", ("broker.plant", 8883), True),
        ("mqtt://[::1]:1883", ("::1", 1883), False),
    ],
)
def test_the_address_is_taken_apart_with_the_usual_ports(url: str, address: tuple[str, int], tls: bool) -> None:
    made = settings(url)
    assert (made.address, made.tls) == (address, tls)


@pytest.mark.parametrize("url", ["127.0.0.1:1883", "tcp://127.0.0.1", "mqtt://", "mqtt://host:0", "mqtt://host:70000", "mqtt://host/topic", "mqtt://host?a=b"])
def test_what_is_no_broker_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        settings(url)


@pytest.mark.parametrize(
    ("url", "keys", "words"),
    [
        ("mqtt://li:secret@host", {}, "login data do not belong into the address"),
        ("mqtt://host", {"ca": "ca.pem"}, "are for mqtts://"),
        ("mqtt://host", {"insecure_skip_verify": True}, "are for mqtts://"),
        ("mqtts://host", {"key": "key.pem"}, "key needs cert"),
        ("mqtt://host", {"password": {"env": "PASSWORD"}}, "password needs username"),
        ("mqtt://host", {"password": "in the clear", "username": "hazgate"}, "password"),
        ("mqtts://host", {"insecure_skip_verify": "yes"}, "insecure_skip_verify"),
        ("mqtt://host", {"keepalive": "0s"}, "keepalive"),
        ("mqtt://host", {"receive_maximum": 0}, "receive_maximum"),
        ("mqtt://host", {"prefix": "hazgate/#"}, "prefix"),
        ("mqtt://host", {"qos": 2}, "qos"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(url: str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(url, **keys)


@pytest.mark.parametrize(("keepalive", "seconds"), [("10s", 10), ("500ms", 1), ("1500ms", 2), ("2d", 65535)])
def test_the_keepalive_is_sent_in_whole_seconds(keepalive: str, seconds: int) -> None:
    assert settings("mqtt://host", keepalive=keepalive).seconds == seconds


def test_defaults_are_those_of_the_documentation() -> None:
    made = settings("mqtt://host")
    assert (made.keepalive, made.prefix, made.receive_maximum, made.insecure_skip_verify) == (10 * SECOND, "hazgate/v1", 8192, False)
