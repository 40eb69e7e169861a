"""Outgoing connections: dialing without stopping the loop, and TLS whose certificates are checked."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from alerts.ports import HazgateError, Permanent, Transient

_log = logging.getLogger(__name__)

PATIENCE: Final = 5.0
"""Seconds that each step of dialing may take: connecting to one address, and the TLS handshake."""


def client_context(*, ca: Path | None = None, cert: Path | None = None, key: Path | None = None, insecure_skip_verify: bool = False) -> ssl.SSLContext:
    """What a client needs for TLS 1.2 or later. Reads files, so it may block for as long as the disk does.

    ca: PEM of the authorities to trust in place of the machine's own. cert, key: PEM by which we show who we are;
    `key` may be inside `cert`. insecure_skip_verify: accept whatever answers, whoever it is; logged as a warning
    each time. Raises Permanent, naming the file, when one cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise Permanent(f"cannot use the CA file {ca}: {_file_words(error)}") from error
    if cert is not None:
        try:
            context.load_cert_chain(cert, key, password=_no_password)
        except OSError as error:
            raise Permanent(f"cannot use the certificate {cert} with the key {key or cert}: {_file_words(error)}") from error
    if insecure_skip_verify:
        _log.warning("insecure_skip_verify is on: whoever answers is believed, and may read and forge everything")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def dial(host: str, port: int, context: Callable[[], ssl.SSLContext] | None = None) -> socket.socket:
    """A connected TCP socket, encrypted if there is a context, without Nagle's delay and still blocking.

    Looking up names, connecting and shaking hands block, so they happen in a thread, which also makes the context;
    being cancelled leaves the thread to end by itself and the socket closed. Raises Transient in words for a person,
    and what `context` raises.
    """
    loop = asyncio.get_running_loop()
    dialed: asyncio.Future[socket.socket] = loop.create_future()

    def hand_over(outcome: socket.socket | HazgateError) -> None:
        if isinstance(outcome, HazgateError):
            if not dialed.done():
                dialed.set_exception(outcome)
        elif dialed.done():
            outcome.close()
        else:
            dialed.set_result(outcome)

    def run() -> None:
        outcome = _outcome(host, port, context)
        try:
            loop.call_soon_threadsafe(partial(hand_over, outcome))
        except RuntimeError:  # the loop is closed: nobody waits any more
            if isinstance(outcome, socket.socket):
                outcome.close()

    # Not the loop's executor: that would make the end of the program wait for a name server that does not answer.
    threading.Thread(target=run, name="dial", daemon=True).start()
    return await dialed


def _outcome(host: str, port: int, context: Callable[[], ssl.SSLContext] | None) -> socket.socket | HazgateError:
    try:
        return _connected(host, port, context() if context else None)
    except HazgateError as error:
        return error
    except Exception as error:  # noqa: BLE001  the thread's outermost edge: whoever waits must hear of it, whatever it is
        return Transient(f"cannot reach {host}:{port}: {_network_words(error)}")


def _connected(host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
    bare = socket.create_connection((host, port), timeout=PATIENCE)
    try:
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(bare, server_hostname=host) if context else bare
    except BaseException:  # only to close what was opened; it goes on upwards
        bare.close()
        raise


def _file_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it is not PEM, or the two do not belong together"
    return error.strerror or str(error)


def _network_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({(error.reason or 'no reason given').lower().replace('_', ' ')})"
    if isinstance(error, TimeoutError):
        return f"no answer within {PATIENCE:g} s"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _no_password() -> str:
    # Without this OpenSSL asks for the pass phrase of an encrypted key on the terminal, and waits for ever.
    raise OSError("the key is encrypted; keep it unencrypted and readable for the service only")
