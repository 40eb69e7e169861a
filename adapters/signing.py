"""The gateway's own key: signs the journal's heads, so that whoever was given one can hold the journal against it.

Ed25519. The private half is a PEM file that only its owner may read, outside `data_dir`: whoever changes a journal must
not find there what its heads are signed with. The public half stands beside it in `NAME.pub`, with those of earlier keys.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from adapters.codecs.chain import MILLISECOND, Head
from adapters.sqlite import sync_folder
from alerts.ports import Permanent

_PRIVATE: Final = bytes.fromhex("302e020100300506032b657004220420")
_PUBLIC: Final = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of a key in PKCS #8 and in SubjectPublicKeyInfo (RFC 8410, section 10)."""
_LENGTH: Final = 32
PUBLIC_SUFFIX: Final = ".pub"


class Key:
    """A private key. trusted: the public halves of this one and of those before it, by id."""

    def __init__(self, seed: bytes, earlier: Mapping[str, bytes] | None = None) -> None:
        self._key = SigningKey(seed)
        self.public = bytes(self._key.verify_key)
        self.trusted = {**(earlier or {}), self.id: self.public}

    @property
    def id(self) -> str:
        """A short name, made from the public half."""
        return key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """The signature of a message: 64 bytes."""
        return self._key.sign(message).signature


@dataclass(frozen=True, slots=True)
class Sealer:
    """Signs what the journal of one gateway says. `now` is asked from the journal's thread, ns."""

    key: Key
    gateway: str
    now: Callable[[], int]

    def head(self, sequence: int, digest: bytes) -> Head:
        """The signed head of a chain that ends with this row now."""
        head = Head(sequence, digest, self.now() // MILLISECOND * MILLISECOND, self.key.id)
        return replace(head, signature=self.key.sign(head.message(self.gateway)))

    def sign(self, text: str) -> bytes:
        """The signature of something else that the journal says."""
        return self.key.sign(text.encode())


def open_key(path: Path) -> Key:
    """Read the key, or make one where none is. Raises Permanent with what to do."""
    try:
        if not path.exists():
            _write(path, _pem("PRIVATE KEY", _PRIVATE + os.urandom(_LENGTH)), 0o600)
    except OSError as error:
        raise _refused(path, error) from error
    key = read_key(path)
    with contextlib.suppress(OSError):  # a key in a place that cannot be written was put there by hand, its public half too if anybody wants it
        _publish(path, key)
    return key


def read_key(path: Path) -> Key:
    """Read the key. Raises Permanent with what to do."""
    try:
        found = _blocks(path.read_text(encoding="ascii", errors="replace"), "PRIVATE KEY", _PRIVATE)
    except OSError as error:
        raise _refused(path, error) from error
    if len(found) != 1:
        raise Permanent(f"{path} holds no Ed25519 key in PEM form; put the gateway's key back, or move the file away for a new one")
    return Key(found[0], _published(path))


def _refused(path: Path, error: OSError) -> Permanent:
    say = f"cannot read or make {path}, the key that signs the journal's heads: {error.strerror or error}"
    return Permanent(f"{say}; name a place outside data_dir that the gateway may write, journal: {{key: PATH}}")


def trusted(path: Path) -> Mapping[str, bytes]:
    """The public halves of the key at `path` and of those before it, by id: all that is needed to verify. Raises Permanent if there are none."""
    found = dict(_published(path))
    with contextlib.suppress(Permanent):  # who may not read the private half needs it not
        found |= read_key(path).trusted
    if not found:
        raise Permanent(f"there is no key in {public_path(path)}; put the copy of it there that was kept elsewhere")
    return found


def verified(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of the key signed the message."""
    try:
        VerifyKey(public).verify(message, signature)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


def key_id(public: bytes) -> str:
    """A short name for a public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def public_path(path: Path) -> Path:
    """Where the public half of the key at `path` is."""
    return path.with_name(path.name + PUBLIC_SUFFIX)


def _published(path: Path) -> dict[str, bytes]:
    """The public keys beside the private one; none if there is no such file. Raises Permanent for what cannot be read."""
    try:
        text = public_path(path).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Permanent(f"cannot read {public_path(path)}: {error.strerror or error}") from error
    return {key_id(public): public for public in _blocks(text, "PUBLIC KEY", _PUBLIC)}


def _publish(path: Path, key: Key) -> None:
    """Put the public half first into the file beside the key, if it is not in it: earlier heads stay verifiable by what follows."""
    beside = public_path(path)
    earlier = beside.read_text(encoding="ascii", errors="replace") if beside.exists() else ""
    if key.public not in _blocks(earlier, "PUBLIC KEY", _PUBLIC):
        _write(beside, _pem("PUBLIC KEY", _PUBLIC + key.public) + earlier, 0o644)


def _pem(name: str, content: bytes) -> str:
    return f"-----BEGIN {name}-----\n{base64.b64encode(content).decode()}\n-----END {name}-----\n"


def _blocks(text: str, name: str, prefix: bytes) -> list[bytes]:
    """The keys of this kind in a PEM file."""
    found = []
    for block in re.findall(rf"-----BEGIN {name}-----(.*?)-----END {name}-----", text, re.DOTALL):
        with contextlib.suppress(binascii.Error):
            content = base64.b64decode("".join(block.split()), validate=True)
            if content.startswith(prefix) and len(content) == len(prefix) + _LENGTH:
                found.append(content[len(prefix) :])
    return found


def _write(path: Path, text: str, mode: int) -> None:
    """Write a file that is there whole or not at all. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)
