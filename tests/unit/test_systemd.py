"""Messages to the service manager, over real datagram sockets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.manager import manager

from adapters.systemd import Systemd


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract name"])
def test_assignments_of_one_call_arrive_as_one_datagram(tmp_path: Path, *, abstract: bool) -> None:
    with manager(None if abstract else tmp_path) as ear:
        systemd = Systemd({"NOTIFY_SOCKET": ear.address})
        systemd.tell(READY="1", STATUS="guarding 北罐区")
        systemd.close()
        assert ear.hear() == [{"READY": "1", "STATUS": "guarding 北罐区"}]


def test_a_line_break_in_a_value_makes_no_second_message(tmp_path: Path) -> None:
    with manager(tmp_path) as ear:
        systemd = Systemd({"NOTIFY_SOCKET": ear.address})
        systemd.tell(STATUS="disk full\nSTOPPING=1")
        systemd.close()
        assert ear.hear() == [{"STATUS": "disk full STOPPING=1"}]


def test_what_is_meant_for_this_process_is_taken_out_of_the_environment(tmp_path: Path) -> None:
    """A child that inherited it would speak in the gateway's name."""
    with manager(tmp_path) as ear:
        environment = {"NOTIFY_SOCKET": ear.address, "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
        systemd = Systemd(environment)
        systemd.close()
        assert environment == {"HOME": "/"}
        assert systemd.watchdog == 20.0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"WATCHDOG_USEC": "20s"}, "WATCHDOG_USEC"),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, ""),
        ({"WATCHDOG_USEC": "0"}, "WATCHDOG_USEC"),
        ({}, ""),
    ],
    ids=["no number", "another process", "zero", "not set"],
)
def test_a_watchdog_that_is_not_ours_is_not_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture, variables: dict[str, str], words: str) -> None:
    with manager(tmp_path) as ear:
        systemd = Systemd({"NOTIFY_SOCKET": ear.address} | variables)
        systemd.close()
        assert systemd.watchdog is None
        assert words in caplog.text


@pytest.mark.parametrize(("address", "words"), [("", ""), ("@", "neither"), ("vsock:2:1234", "neither"), ("run/notify", "neither")])
def test_without_an_address_that_can_be_used_nothing_is_told_and_nothing_fails(caplog: pytest.LogCaptureFixture, address: str, words: str) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000000"})
    systemd.tell(READY="1")
    systemd.close()
    assert systemd.watchdog is None
    assert words in caplog.text


def test_a_manager_that_is_gone_is_remarked_on_once_and_told_again_when_it_is_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    systemd.tell(READY="1")
    systemd.tell(WATCHDOG="1")
    assert len(caplog.records) == 1
    with manager(tmp_path) as ear:
        systemd.tell(WATCHDOG="1")
        assert ear.hear() == [{"WATCHDOG": "1"}]
    systemd.close()


def test_a_manager_that_does_not_listen_holds_nothing_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its buffer takes a few datagrams; a socket that waited would hang the gateway with it."""
    with manager(tmp_path) as ear:
        systemd = Systemd({"NOTIFY_SOCKET": ear.address})
        for _ in range(5000):
            systemd.tell(STATUS="x" * 500)
        assert len(caplog.records) == 1
        ear.hear()
        systemd.tell(WATCHDOG="1")
        systemd.close()
        assert ear.hear() == [{"WATCHDOG": "1"}]
