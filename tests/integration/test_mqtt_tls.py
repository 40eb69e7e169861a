"""TLS to a real mosquitto: who is believed, who is let in, and what the reason says when not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from support.certificates import Authority
from support.links import linked
from support.servers import Login, Tls, mosquitto
from support.wait import eventually


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_a_broker_whose_certificate_is_of_the_named_ca_is_believed(authority: Authority) -> None:
    async with mosquitto(tls=Tls(authority.issue("broker"), authority.cert)) as broker, linked(broker.tls_url, ca=authority.cert) as witness:
        payloads = [b"%d" % number + b"." * 3000 for number in range(300)]
        await broker.publish_lines("t/x", payloads, login=Login(ca=authority.cert))
        assert await eventually(lambda: witness.payloads == payloads)
        await witness.publish("out/x", b"1")


async def test_decrypted_bytes_are_not_left_lying_when_reading_is_resumed(authority: Authority) -> None:
    async with mosquitto(tls=Tls(authority.issue("broker"), authority.cert)) as broker, linked(broker.tls_url, ca=authority.cert) as witness:
        witness.link.pause()
        payloads = [b"%d" % number for number in range(500)]
        await broker.publish_lines("t/x", payloads, login=Login(ca=authority.cert))
        witness.link.resume()
        assert await eventually(lambda: witness.payloads == payloads)


async def test_a_broker_of_another_ca_is_refused_and_the_reason_says_why(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other-ca")
    async with mosquitto(tls=Tls(authority.issue("broker"), authority.cert)) as broker, linked(broker.tls_url, ca=other.cert, wait=False) as witness:
        await witness.is_down()
        assert f"127.0.0.1:{broker.port}: its certificate is not to be trusted (self-signed certificate in certificate chain)" in witness.reasons[0]


async def test_a_certificate_for_another_address_is_refused(authority: Authority) -> None:
    shown = Tls(authority.issue("broker", address="192.0.2.7"), authority.cert)
    async with mosquitto(tls=shown) as broker, linked(broker.tls_url, ca=authority.cert, wait=False) as witness:
        await witness.is_down()
        assert "IP address mismatch" in witness.reasons[0]


async def test_without_a_ca_the_machines_own_store_decides(authority: Authority) -> None:
    async with mosquitto(tls=Tls(authority.issue("broker"), authority.cert)) as broker, linked(broker.tls_url, wait=False) as witness:
        await witness.is_down()
        assert "not to be trusted" in witness.reasons[0]


async def test_checks_are_off_only_by_the_loud_setting_and_that_is_logged(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    shown = Tls(authority.issue("broker", address="192.0.2.7"), authority.cert)
    async with mosquitto(tls=shown) as broker, linked(broker.tls_url, insecure_skip_verify=True) as witness:
        await witness.publish("out/x", b"1")
    assert "insecure_skip_verify" in caplog.text


async def test_a_client_certificate_lets_us_in_and_its_lack_is_told(authority: Authority) -> None:
    ours = authority.issue("hazgate")
    async with mosquitto(tls=Tls(authority.issue("broker"), authority.cert, clients=authority.cert)) as broker:
        async with linked(broker.tls_url, ca=authority.cert, cert=ours.cert, key=ours.key) as witness:
            await witness.publish("out/x", b"1")
        async with linked(broker.tls_url, ca=authority.cert, wait=False) as witness:
            await witness.is_down()
            assert "certificate required" in witness.reasons[0].lower().replace("_", " ")


async def test_a_missing_or_wrong_file_is_named_and_does_not_end_the_gateway(authority: Authority, tmp_path: Path) -> None:
    ours, stranger = authority.issue("hazgate"), Authority(tmp_path, "other-ca").issue("stranger")
    async with mosquitto(tls=Tls(authority.issue("broker"), authority.cert)) as broker:
        for settings, words in (
            ({"ca": tmp_path / "none.pem"}, "none.pem: No such file or directory"),
            ({"ca": ours.key}, "hazgate.key: it is not PEM"),
            ({"cert": ours.cert, "key": stranger.key}, "it is not PEM, or the two do not belong together"),
        ):
            async with linked(broker.tls_url, wait=False, **settings) as witness:
                await witness.is_down()
                assert words in witness.reasons[0]


async def test_plain_text_on_a_tls_port_is_told_as_a_failed_handshake(authority: Authority) -> None:
    async with mosquitto() as broker, linked(broker.tls_url, ca=authority.cert, wait=False) as witness:
        await witness.is_down()
        assert "cannot reach" in witness.reasons[0]
