"""A file on its way to becoming a model: what of it is sound, and a problem for everything that is not.

Each key, and each entry of a list, is validated by itself, so that one mistake hides no other; rules that need several
of them then run over what is sound.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model

from alerts.site import Model, OverrideReason
from alerts.written import FROM_FILE
from gateway.config_problem import Problem, Severity
from gateway.config_words import MISSING, nearest, sentences
from gateway.config_yaml import Document, Keys

M = TypeVar("M", bound=BaseModel)
Finding = tuple[Keys, str]
"""Where in a file, and what is wrong there."""


class Draft:
    """One file as plain data with places, and the problems found in it so far."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = list(document.problems)

    @property
    def data(self) -> dict[Any, Any]:
        """The file's top mapping; empty if the file could not be read."""
        return self.document.data if isinstance(self.document.data, dict) else {}

    @property
    def sound(self) -> bool:
        """Whether no error has been found."""
        return all(problem.severity is not Severity.ERROR for problem in self.problems)

    def add(self, keys: Keys, sentence: str, severity: Severity = Severity.ERROR) -> None:
        """Note a problem at a place of the file, on the line of the nearest place around it that the file has."""
        document = self.document
        self.problems.append(Problem(document.file, document.line(keys), document.place(keys), sentence, severity))

    def errors(self, findings: Iterable[Finding]) -> None:
        """Note what a rule found."""
        for keys, sentence in findings:
            self.add(keys, sentence)

    def warnings(self, findings: Iterable[Finding]) -> None:
        """Note what a rule found that does not keep the gateway from starting."""
        for keys, sentence in findings:
            self.add(keys, sentence, Severity.WARNING)

    def raw(self, keys: Keys) -> Any:
        """What the file has at a place; None where it has nothing."""
        at: Any = self.document.data
        for key in keys:
            if isinstance(at, dict):
                at = at.get(key)
            elif isinstance(at, list) and isinstance(key, int) and key < len(at):
                at = at[key]
            else:
                return None
        return at

    def excused(self, keys: Keys) -> bool:
        """Whether an `override_reason` in the mapping that holds the last key says why it is as it is."""
        reason = self.raw((*keys[:-1], "override_reason"))
        return bool(reason.get(keys[-1])) if isinstance(reason, dict) else bool(reason)

    def read(self, model: type[M], keys: Keys, value: object) -> M | None:
        """The value at `keys` as a model; None after noting what is wrong with it."""
        try:
            return model.model_validate(value, context=FROM_FILE)
        except ValidationError as refused:
            self.errors(((*keys, *inner), sentence) for inner, sentence in sentences(refused, model, value))
            return None

    @staticmethod
    def remains(model: type[M], value: Mapping[str, Any]) -> M | None:
        """What is left of a refused value without the keys that are wrong, for the rules to look at; None if that is not enough."""
        left = copy.deepcopy(dict(value))
        try:
            return model.model_validate(left, context=FROM_FILE)
        except ValidationError as refused:
            for error in refused.errors(include_url=False):
                keys = error["loc"] if error["type"] == "extra_forbidden" else error["loc"][:1]
                _drop(left, keys)
        try:
            return model.model_validate(left, context=FROM_FILE)
        except ValidationError:
            return None

    def read_key(self, model: type[BaseModel], key: str, value: object) -> Any:
        """The value of one top key as the model's field of that name says; None after noting what is wrong with it."""
        alone = self.read(_alone(model, key), (), {key: value})
        return None if alone is None else getattr(alone, key)

    def check_keys(self, model: type[BaseModel], what: str) -> None:
        """Note every top key that the model does not know and every one that it misses."""
        fields = model.model_fields
        for key in self.data:
            if key not in fields:
                hint = nearest(key, fields) or f"; known here: {', '.join(fields)}"
                self.add((key,), f"is not a key of {what}{hint}")
        for key, info in fields.items():
            if info.is_required() and key not in self.data and self.data:
                self.add((key,), f"is missing; write {MISSING[key]}")

    def check_reason(self, keys: Keys, held: Mapping[Any, Any]) -> None:
        """Note an `override_reason` of the mapping `held` at `keys` that says nothing, or names a key that is not there."""
        reason = held.get("override_reason")
        if reason is None:
            return
        if self.read(_Reasoned, keys, {"override_reason": reason}) is not None and isinstance(reason, dict):
            for key in reason.keys() - held.keys():
                self.add((*keys, "override_reason", key), f"gives a reason for {key}, which is not written in the same mapping{nearest(key, held)}")


def _drop(data: Any, keys: tuple[str | int, ...]) -> None:
    """Take one key out of nested mappings and lists, if it is there."""
    for key in keys[:-1]:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict):
        data.pop(keys[-1], None)


class _Reasoned(Model):
    override_reason: OverrideReason


@functools.cache
def _alone(model: type[BaseModel], key: str) -> type[BaseModel]:
    """A model of one field of another."""
    info = model.model_fields[key]
    made: type[BaseModel] = create_model(f"{model.__name__}.{key}", __base__=Model, **{key: (info.annotation, info)})  # type: ignore[call-overload]  # pydantic types no computed field names
    return made
