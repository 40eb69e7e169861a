"""Status maps: which loop currents of a model of instrument are codes and no measurement, alerts/signals/{model}.yaml."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from typing import Any, Final, Literal

from alerts.site import Flag, Model, Text
from gateway.config_figure import Figure
from gateway.config_yaml import Document, parse

GENERIC: Final = "generic"


class CodeFigure(Figure):
    """A current that means something, in mA; `gas` and `kinds` say for which sensors, where not for all."""

    means: Literal["fault", "calibrating", "over_range"]
    side: Literal["at", "below", "from"] = "at"
    gas: Flag | None = None
    kinds: tuple[Text, ...] = ()


class SignalMap(Model):
    """The codes of one model, in the order in which they are tried. `tolerance`: how far from a code a current may be."""

    model: Text
    tolerance: Figure | None = None
    codes: tuple[CodeFigure, ...]


@functools.cache
def signal_maps() -> Mapping[str, SignalMap]:
    """Every map that is installed, by model."""
    folder = importlib.resources.files("alerts") / "signals"
    found = [_load(entry.name, entry.read_text(encoding="utf-8")) for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return {known.model: known for known in sorted(found, key=lambda known: known.model)}


def _load(name: str, text: str) -> SignalMap:
    document = Document(name)
    parse(text, document)
    return SignalMap.model_validate(document.data)


def with_codes(signal: Mapping[str, Any], kind: str, *, gas: bool) -> dict[str, Any]:
    """A sensor's signal with every code that holds for it: the site's own, its model's, then NE 43's.

    One that is no current, or names a model that nobody knows, stays as it is.
    """
    model, own = signal.get("map", GENERIC), signal.get("codes", [])
    maps = signal_maps()
    if signal.get("kind") != "current" or not isinstance(model, str) or model not in maps or not isinstance(own, list):
        return dict(signal)
    models = [maps[name] for name in dict.fromkeys((model, GENERIC))]
    return {**signal, "codes": [*own, *(code for known in models for code in _codes(known, kind, gas=gas))]}


def _codes(known: SignalMap, kind: str, *, gas: bool) -> list[dict[str, Any]]:
    fits = [code for code in known.codes if code.gas in (None, gas) and (not code.kinds or kind in code.kinds)]
    return [{"means": code.means, **_band(code, known.tolerance)} for code in fits]


def _band(code: CodeFigure, tolerance: Figure | None) -> dict[str, float]:
    current, around = float(code.value), 0.0 if tolerance is None else float(tolerance.value)
    if code.side == "below":
        return {"below": current}
    if code.side == "from":
        return {"at_least": current}
    return {"at_least": round(current - around, 6), "below": round(current + around, 6)}
