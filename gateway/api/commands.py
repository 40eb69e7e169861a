"""From a POST to the desk: the path says what is asked and of what, the token who asks, the body the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final

from fastapi import Path

from adapters.codecs.command_json import CommandBody, UnreadableCommand, decode_command
from alerts.alarm import Refusal, Verb
from alerts.site import Site
from gateway.api.models import CommandRequest
from gateway.api.problems import Problem, Refused
from gateway.desk import command_of
from gateway.view import View

Verbs = Annotated[str, Path(description="what is asked for", json_schema_extra={"enum": [verb.value for verb in Verb]})]

COMMAND: Final = {"requestBody": {"required": False, "content": {"application/json": {"schema": CommandRequest.model_json_schema()}}}}
"""The body in the interface's description. It is read by the codec that also reads commands over MQTT, so that both mean the same."""

REFUSALS: Final[dict[int | str, dict[str, object]]] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        401: "a token is missing, unknown, wrong or over",
        403: "this person may not do it",
        404: "no such site, sensor or alarm",
        409: "refused as things stand",
        422: "the request lacks something",
    }.items()
}


async def carry_out(view: View, site: Site, ask: tuple[str, str], body: bytes, *, alarm: str | None = None, sensor: str | None = None) -> None:
    """Have a command done and wait until that is durable. `ask` is person and verb. Raises Refused."""
    person, verb = ask
    if verb not in {known.value for known in Verb}:
        raise Refused(Refusal.MALFORMED, f"{verb[:40]!r} is no verb")
    read = _read(body)
    if read.alarm not in (None, alarm) or read.sensor not in (None, sensor):
        raise Refused(Refusal.MALFORMED, "the body names another alarm or sensor than the address")
    command = command_of(site.site, person, Verb(verb), replace(read, alarm=alarm, sensor=sensor), "token", view.clock.now())
    refusal = await view.desk.ask(command)
    if refusal is not None:
        raise Refused(refusal)


def _read(body: bytes) -> CommandBody:
    if not body:
        return CommandBody()
    try:
        return decode_command(body)
    except UnreadableCommand as error:
        raise Refused(Refusal.MALFORMED, str(error)) from error
