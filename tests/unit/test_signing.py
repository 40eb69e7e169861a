"""The key that signs the journal's heads: made once, for its owner's eyes, and read by common tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from adapters.signing import Sealer, open_key, public_path, trusted, verified
from alerts.ports import Permanent


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    made = open_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_key(path).public == made.public
    assert trusted(path) == {made.id: made.public}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["journal.key", "journal.key.pub"]


def test_another_library_reads_both_halves_and_agrees_on_signatures(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    key = open_key(path)
    private, public = load_pem_private_key(path.read_bytes(), None), load_pem_public_key(public_path(path).read_bytes())
    assert isinstance(private, Ed25519PrivateKey)
    assert isinstance(public, Ed25519PublicKey)
    public.verify(key.sign(b"said"), b"said")
    assert verified(key.public, b"said", private.sign(b"said"))
    assert not verified(key.public, b"says", private.sign(b"said"))
    assert not verified(key.public, b"said", b"short")


def openssl_verifies(public: Path, message: bytes, signature: bytes) -> bool:
    """Whether the tool of that name takes the signature for one of the first key in the file."""
    folder = public.parent
    (folder / "message").write_bytes(message)
    (folder / "signature").write_bytes(signature)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public.name, "-rawin", "-in", "message", "-sigfile", "signature"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_openssl_verifies_a_head(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    head = Sealer(open_key(path), "north-01", lambda: 1_763_712_000_123_456_789).head(41, b"h" * 32)
    assert openssl_verifies(public_path(path), head.message("north-01"), head.signature)
    assert not openssl_verifies(public_path(path), head.message("north-02"), head.signature)
    assert head.at == 1_763_712_000_123_000_000


def test_a_new_key_stands_first_and_leaves_what_an_earlier_one_signed_verifiable(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    first = open_key(path)
    path.unlink()
    second = open_key(path)
    assert trusted(path) == {second.id: second.public, first.id: first.public}
    assert openssl_verifies(public_path(path), b"said", second.sign(b"said"))


@pytest.mark.parametrize("content", [None, "", "AAAA", "*"])
def test_a_file_that_holds_no_key_is_refused_and_stays(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    text = "secret" if content is None else f"-----BEGIN PRIVATE KEY-----\n{content}\n-----END PRIVATE KEY-----\n"
    path.write_text(text)
    with pytest.raises(Permanent, match="holds no Ed25519 key in PEM form; put the gateway's key back"):
        open_key(path)
    assert path.read_text() == text


def test_a_place_that_cannot_be_written_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"nowhere/journal.key.*name a place outside data_dir that the gateway may write, journal: \{key: PATH\}$"):
        open_key(tmp_path / "nowhere" / "journal.key")


def test_of_a_public_file_what_is_a_key_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    public_path(path).write_text("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\nremarks\n")
    with pytest.raises(Permanent, match=r"there is no key in .*journal\.key\.pub; put the copy of it there"):
        trusted(path)
    key = open_key(path)
    assert trusted(path) == {key.id: key.public}


def test_to_verify_the_public_half_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    key = open_key(path)
    path.unlink()
    assert trusted(path) == {key.id: key.public}
    assert not path.exists(), "who verifies makes no key"
