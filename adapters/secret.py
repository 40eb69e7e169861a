"""Secrets in files: named by where they are, read when used, printed as `<secret>`."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from alerts.ports import Permanent


class Secret(BaseModel):
    """Where a secret is kept: `{env: NAME}` or `{file: PATH}`. The value itself never stands in a configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("expected {env: NAME} or {file: PATH}")
        return self

    def reveal(self) -> str:
        """The secret itself, without a trailing newline. Raises Permanent, naming the place, if it is not there."""
        if self.env is not None:
            value = os.environ.get(self.env)
            if value is None:
                raise Permanent(f"the environment variable {self.env} is not set; it should hold a secret")
            return value
        try:
            return Path(str(self.file)).read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise Permanent(f"cannot read the secret file {self.file}: {error.strerror}") from error

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__
