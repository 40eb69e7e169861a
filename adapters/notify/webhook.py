"""A channel that POSTs each message as JSON to one address."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Final, Literal, cast

from pydantic import Field, field_validator

from adapters.secret import Secret
from adapters.tls import client_context
from alerts.ports import Delivery, HazgateError, Permanent, Receipt, Transient
from alerts.reading import SECOND
from alerts.site import Model, Rate, Spell
from alerts.units import duration

# httpx would load a terminal library for a command line that nobody uses here: 5 MiB resident
sys.modules.setdefault("httpx._main", cast("ModuleType", None))
import httpx  # noqa: E402 (see above)

_ANSWER_BYTES: Final = 65_536
_SAID: Final = 200
"""Characters kept of what the far side said."""
_TELLING: Final = re.compile(r"[^/?&=:;, ]{8,}")
"""Parts of a secret address or header that may be the token in it."""
_BUSY_STATUS: Final = frozenset({408, 425, 429})
_BUSY_CODES: Final = frozenset(
    {
        -1,  # WeCom, DingTalk: the system is busy
        45009,  # WeCom: called too often
        90030,  # DingTalk: over the robot's limit
        130101,  # DingTalk: sent too fast
        9499,  # Feishu: too many requests
        11232,  # Feishu: over the tenant's limit
    }
)
"""What platforms put into a body answered with 200 when a later try may succeed."""

# httpx logs every request with its address, and the address may be a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


class WebhookSettings(Model):
    """A channel `kind: webhook`. timeout: ns for one try, all in all; deadline: ns for all tries; limit: messages a second."""

    kind: Literal["webhook"]
    url: str | Secret = Field(description="http:// or https:// address; a secret if it carries a token")
    timeout: Spell = duration("5s")
    deadline: Spell = duration("10m")
    limit: Rate | None = Field(None, description="messages over time, such as 60/m")
    headers: dict[str, str | Secret] = Field(default_factory=dict, description="sent along, such as Authorization")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str | Secret) -> str | Secret:
        return address(url)


class Webhook:
    """The notifier of a `webhook` channel.

    Settings alone say where a message goes: proxies of the environment are not used and redirects not followed.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._seconds = settings.timeout / SECOND
        self._client = httpx.AsyncClient(verify=client_context(), timeout=self._seconds, trust_env=False)

    def __repr__(self) -> str:
        return "Webhook(<secret>)" if isinstance(self._settings.url, Secret) else f"Webhook({_shown(self._settings.url)})"

    async def send(self, delivery: Delivery) -> Receipt:
        """POST it, with the key by which the far side knows a repeat. Answers and raises as `post` does."""
        return await self.post(delivery.body, {"Idempotency-Key": delivery.idempotency_key})

    async def post(self, content: bytes, beside: Mapping[str, str]) -> Receipt:
        """POST JSON, with headers `beside` those of the settings.

        2xx is delivered, unless its JSON body has `errcode` or `code` other than 0. Raises Transient for no answer,
        408, 425, 429, 5xx and a busy platform, Permanent for every other refusal.
        """
        try:
            async with asyncio.timeout(self._seconds):
                status, headers, body = await self._post(content, beside)
        except TimeoutError:
            raise Transient(f"no answer within {self._seconds:g} s") from None
        except (httpx.LocalProtocolError, ValueError):
            # The library's words, and those they are raised from, may repeat the header.
            raise Permanent("a header of the channel cannot be sent") from None
        except httpx.HTTPError as error:
            raise Transient(f"not reached: {self._cleaned(str(error) or type(error).__name__)}") from None
        said = self._cleaned(body.decode("utf-8", "replace").strip())[:_SAID]
        refusal = _refusal(status, headers, said) or _refusal_inside(body, said)
        if refusal is not None:
            raise refusal
        return Receipt(f"{status} {said}".strip())

    async def close(self) -> None:
        """Give up kept connections."""
        await self._client.aclose()

    async def _post(self, content: bytes, beside: Mapping[str, str]) -> tuple[int, httpx.Headers, bytes]:
        settings = self._settings
        headers = {"Content-Type": "application/json", **{name: _revealed(value) for name, value in settings.headers.items()}, **beside}
        url = _revealed(settings.url)
        if not _usable(url):
            raise Permanent("the channel's secret address is no http:// or https:// address")
        async with self._client.stream("POST", url, content=content, headers=headers) as response:
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) >= _ANSWER_BYTES:
                    break
            return response.status_code, response.headers, body

    def _cleaned(self, text: str) -> str:
        """What the far side or the library said, without any secret of ours, or part of one, that it repeats."""
        for value in (self._settings.url, *self._settings.headers.values()):
            if isinstance(value, Secret):
                for part in (value.reveal(), *_TELLING.findall(value.reveal())):
                    text = text.replace(part, "<secret>")
        return text


def address(url: str | Secret) -> str | Secret:
    """The address of a file, unchanged. Raises ValueError with a sentence for one that nothing can be sent to; a secret is not looked into."""
    if isinstance(url, str) and not _usable(url):
        raise ValueError("expected an http:// or https:// address")
    return url


def _usable(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return False
    # httpx escapes what cannot stand in a host's name instead of refusing it.
    return parsed.scheme in ("http", "https") and bool(parsed.host) and "%" not in parsed.host


def _shown(url: str) -> str:
    """An address without what may be a token: login data, query, fragment."""
    parsed = httpx.URL(url)
    return str(parsed.copy_with(userinfo=b"", query=None, fragment=None))


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _refusal(status: int, headers: httpx.Headers, said: str) -> HazgateError | None:
    if 200 <= status < 300:
        return None
    reason = f"answered {status}{': ' if said else ''}{said}"
    if status in _BUSY_STATUS or status >= 500:
        return Transient(reason, retry_after=_retry_after(headers))
    return Permanent(reason)


def _refusal_inside(body: bytes, said: str) -> HazgateError | None:
    """A refusal that is only told in the body of a 200, as chat platforms do."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    for name in ("errcode", "code"):
        code = answer.get(name, 0)
        if code not in (0, "0", None):
            reason = f"refused with {name} {str(code)[:20]}: {said}"
            return Transient(reason) if isinstance(code, int) and code in _BUSY_CODES else Permanent(reason)
    return None


def _retry_after(headers: httpx.Headers) -> int | None:
    """`Retry-After` in ns. A date counts from the far side's own `Date`, so that no clock of ours is asked."""
    written = headers.get("Retry-After", "").strip()
    if written.isascii() and written.isdigit():
        return min(int(written[:9]), 86_400) * SECOND
    try:
        wait = (parsedate_to_datetime(written) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
    return round(min(max(wait, 0.0), 86_400.0)) * SECOND
