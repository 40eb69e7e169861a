"""The bytes of the journal's chain: every column counts, and a head survives being written down."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.chain import Head, Note, Statement, Unreadable, link, read_head, read_statement
from alerts.alarm import EventKind

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COLUMNS = st.tuples(st.integers(1, 2**62), TEXTS, TEXTS, TEXTS, st.integers(0, 2**62), st.integers(0, 2**62), st.none() | TEXTS, st.binary(max_size=8))
STATEMENT = Statement("north-01", "2026", 1, 90, 80, b"", b"h" * 32, 5, 6, 7)


@given(COLUMNS, COLUMNS, st.binary(max_size=32))
def test_rows_that_differ_anywhere_have_different_hashes(one: tuple[object, ...], other: tuple[object, ...], before: bytes) -> None:
    assert (link(before, one) == link(before, other)) == (one == other)


@given(COLUMNS)
def test_a_row_is_bound_to_the_one_before_it(columns: tuple[object, ...]) -> None:
    assert link(b"a" * 32, columns) != link(b"b" * 32, columns)


def test_the_hash_is_the_documented_one() -> None:
    written = b"i2:41,t5:north,t9:GT-1.high,t5:raise,i1:7,i1:8,n0:,b2:{},"
    assert link(b"p" * 32, (41, "north", "GT-1.high", "raise", 7, 8, None, b"{}")) == hashlib.sha256(b"p" * 32 + written).digest()


def test_a_member_of_an_enumeration_counts_as_what_the_file_keeps_of_it() -> None:
    assert link(b"", (Note.CLOSED, EventKind.RAISE)) == link(b"", ("journal_closed", "raise"))


@pytest.mark.parametrize("head", [Head(41, b"h" * 32, 1_763_712_000_123_000_000, "0123456789abcdef", b"\xff" * 64)])
def test_a_head_is_one_word_that_reads_back(head: Head) -> None:
    assert " " not in head.text
    assert read_head(f" {head.text}\n") == head
    assert read_head(".".join(head.text.split(".")[:2])) == Head(head.sequence, head.hash)


@pytest.mark.parametrize("text", ["", "41", "41.abc", f"x.{'0' * 64}", f"41.{'0' * 64}.1", f"41.{'0' * 64}.1.key.sig", f"-1.{'0' * 64}"])
def test_what_is_no_head_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(Unreadable, match=r"^a head is NUMBER\.HASH"):
        read_head(text)


def test_what_is_signed_of_a_head_names_the_gateway() -> None:
    head = Head(41, b"h" * 32, 1_000_000)
    assert head.message("north-01") != head.message("north-02")


def test_a_statement_reads_back_and_nothing_else_does() -> None:
    assert read_statement(STATEMENT.text) == STATEMENT
    said = json.loads(STATEMENT.text)
    for wrong in ("", "[]", "{}", STATEMENT.text + " ", json.dumps(said | {"first": "one"}), json.dumps(said | {"hazgate_journal_archive": 2})):
        with pytest.raises(Unreadable):
            read_statement(wrong)
