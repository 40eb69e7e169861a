"""Commands as JSON: what is understood, what is refused with an id to answer to, and that nothing else ever happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.command_json import MAX_BYTES, CommandBody, UnreadableCommand, decode_command, encode_reply
from alerts.reading import MILLISECOND


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def refused(payload: bytes) -> UnreadableCommand:
    with pytest.raises(UnreadableCommand) as caught:
        decode_command(payload)
    return caught.value


def test_every_key_is_understood_and_the_others_are_the_verbs_own() -> None:
    body = {
        "id": "4e1c-7",
        "alarm": "GT-101.high",
        "occurrence": "GT-101.high@41",
        "sequence": 41,
        "comment": "去看看",
        "until": "2025-11-21T16:00:00+08:00",
        "at": 1763712000123,
        "token": "hz_secret",
        "result": "real",
        "how": "seen from the spot",
    }
    assert decode_command(encoded(body)) == CommandBody(
        "4e1c-7",
        "GT-101.high",
        None,
        "GT-101.high@41",
        41,
        1763712000123 * MILLISECOND,
        "去看看",
        1763712000000 * MILLISECOND,
        "hz_secret",
        {"result": "real", "how": "seen from the spot"},
    )


def test_everything_may_be_left_out_for_the_desk_judges_it() -> None:
    assert decode_command(b"{}") == CommandBody()
    assert decode_command(encoded({"id": None, "at": None, "sensor": "GT-101"})) == CommandBody(sensor="GT-101")


def test_a_token_is_not_shown() -> None:
    assert "hz_secret" not in repr(decode_command(encoded({"token": "hz_secret"})))


@pytest.mark.parametrize(
    "body",
    [
        {"alarm": 7},
        {"sequence": "41"},
        {"sequence": 1.5},
        {"sequence": True},
        {"at": "yesterday"},
        {"at": 2**63},
        {"until": 1.5},
        {"comment": ["a"]},
        {"token": 1},
    ],
)
def test_a_key_of_the_wrong_kind_is_refused_with_the_id_to_answer_to(body: dict[str, Any]) -> None:
    assert refused(encoded({"id": "c1"} | body)).id == "c1"
    assert refused(encoded(body)).id is None


@pytest.mark.parametrize("identity", ["", "a/b", "a+b", "#", "a b", "é", "a" * 65, ".a", 7, ["a"], "a\0"])
def test_an_id_that_is_no_level_of_a_topic_is_refused_and_not_answered_to(identity: object) -> None:
    assert refused(encoded({"id": identity})).id is None


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"null", b"{", b"\xff", b'{"at": NaN}', b'{"comment": "\\ud800"}', b'{"x":' * 10_000, b" " * (MAX_BYTES + 1)], ids=repr
)
def test_what_is_no_object_is_refused(payload: bytes) -> None:
    assert len(str(refused(payload))) < 1000


def test_a_reply_says_why_not_or_that_it_is_done() -> None:
    assert encode_reply("c1", ok=False, reason="changed") == b'{"id":"c1","ok":false,"reason":"changed"}'
    assert encode_reply("c1", ok=True) == b'{"id":"c1","ok":true}'


def harmless(payload: bytes) -> bool:
    try:
        return isinstance(decode_command(payload), CommandBody)
    except UnreadableCommand as error:
        return bool(str(error).encode())


NAMES = st.sampled_from(["id", "alarm", "sensor", "occurrence", "sequence", "at", "comment", "until", "token", "x"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_command_or_refused(payload: bytes) -> None:
    assert harmless(payload)


@given(st.dictionaries(NAMES, VALUES))
def test_arbitrary_objects_are_a_command_or_refused(body: dict[str, object]) -> None:
    assert harmless(json.dumps(body).encode())
