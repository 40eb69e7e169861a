"""The table of gases: what a site file's `gas` stands for, and what unit conversions need of it."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from typing import Any

from alerts.site import Model, Text
from alerts.units import Substance
from gateway.config_figure import Figure
from gateway.config_yaml import Document, parse


class Gas(Model):
    """One gas. `also`: other names it may be written by. `lel` is None where none was found or it does not burn."""

    gas: Text
    also: tuple[Text, ...] = ()
    formula: Text
    molar_mass: Figure
    lel: Figure | None = None


@functools.cache
def gases() -> Mapping[str, Gas]:
    """Every gas of the table, by each of its names in small letters."""
    document = Document("gases.yaml")
    parse((importlib.resources.files("alerts") / "gases.yaml").read_text(encoding="utf-8"), document)
    known = [Gas.model_validate(entry) for entry in document.data["gases"]]
    return {name.casefold(): gas for gas in known for name in (gas.gas, *gas.also)}


def find(name: object) -> Gas | None:
    """The gas of this name, whatever the case of its letters; a space counts as an underscore."""
    return gases().get(name.strip().replace(" ", "_").casefold()) if isinstance(name, str) else None


def substance(raw: Mapping[str, Any], gas: Gas | None) -> Substance:
    """What is known of the gas of a sensor as the site file has it; what the file says goes before the table."""

    def number(key: str, figure: Figure | None) -> float | None:
        value = raw.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value)
        return None if figure is None else float(figure.value)

    reference = raw.get("reference_temperature")
    celsius = float(reference) if isinstance(reference, int | float) and not isinstance(reference, bool) else None
    return Substance(number("molar_mass", gas.molar_mass if gas else None), number("lel", gas.lel if gas else None), celsius)
