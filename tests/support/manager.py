"""A service manager's ear: a real datagram socket that hears what a service says of itself."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path


class Manager:
    """What NOTIFY_SOCKET leads to. `address` is what that variable says."""

    def __init__(self, ear: socket.socket, address: str) -> None:
        self._ear = ear
        self.address = address
        self.messages: list[dict[str, str]] = []
        """Everything heard so far; grows with `hear`."""

    def hear(self) -> list[dict[str, str]]:
        """The messages that have come since the last call, each as its assignments."""
        come = []
        with contextlib.suppress(BlockingIOError):
            while True:
                lines = self._ear.recv(65536).decode().split("\n")
                come.append(dict(line.split("=", 1) for line in lines))
        self.messages += come
        return come

    def said(self, name: str) -> list[str]:
        """Every value of that name so far."""
        self.hear()
        return [message[name] for message in self.messages if name in message]


@contextlib.contextmanager
def manager(folder: Path | None = None) -> Iterator[Manager]:
    """Listens on a socket in `folder`, or on an abstract name without one."""
    address = f"@hazgate-test-{secrets.token_hex(8)}" if folder is None else str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address.replace("@", "\0", 1) if folder is None else address)
        ear.setblocking(False)
        yield Manager(ear, address)
