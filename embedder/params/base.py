"""The base of every params model, and registries whose entries bring their own options."""

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from embedder.errors import ParamsError, unknown

_SHOWN = 60


class Model(BaseModel):
    """Frozen, strict about its keys, and never changing what was written: "128" and `no` are strings, no numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: object) -> object:
        if isinstance(value, Mapping):
            for key in value:
                if key not in cls.model_fields:
                    raise ValueError(unknown("key", str(key), cls.model_fields))
        return value


class Registered(Protocol):
    """What a module named in a registry has: its options. The rest is each registry's own protocol."""

    Options: type[Model]


def module(registry: Mapping[str, str], what: str, name: str) -> Registered:
    """Import the module that `registry` holds under `name`, on use and not before.

    Raises:
        ParamsError: there is no such name; the message suggests the close one.
    """
    if name not in registry:
        raise ParamsError(unknown(what, name, registry))
    return cast("Registered", importlib.import_module(registry[name]))


def options(registry: Mapping[str, str], what: str, value: object) -> Model:
    """Validate an entry by the options of the module its `what` key ("loader", "kind") names."""
    if isinstance(value, Model):
        return value
    if not isinstance(value, Mapping) or what not in value:
        raise ValueError(f"lacks the key '{what}', one of: {', '.join(sorted(registry))}")
    try:
        chosen = module(registry, what, str(value[what]))
    except ParamsError as error:
        raise ValueError(str(error)) from error
    try:
        return chosen.Options.model_validate(cast("Mapping[str, Any]", value))
    except ValidationError as error:
        raise ValueError(describe(error)) from error


def describe(error: ValidationError, most: int = 3) -> str:
    """Say in one line which keys are wrong, and why."""
    found = error.errors(include_url=False)
    keys = [".".join(str(part) for part in one["loc"] if part != "[key]") for one in found]
    reasons = [_reason(one) for one in found]
    said = [f"{key}: {reason}" if key else reason for key, reason in zip(keys, reasons, strict=True)]
    return "; ".join(said[:most]) + (f" (and {len(said) - most} more)" if len(said) > most else "")


def _reason(one: ErrorDetails) -> str:
    """Say what is wrong with one key: pydantic's words, but where they don't say what to write."""
    written = one["input"] if len(repr(one["input"])) <= _SHOWN else type(one["input"]).__name__
    match one["type"]:
        case "missing":
            return "is missing; write it"
        case "literal_error":
            return f"{written!r} is none of {one['ctx']['expected']}"
        case "dict_type":
            return f"{written!r} is no mapping; write {{}} for an empty one"
        case "string_type":
            return f"{written!r} is no text; put it in quotes"
        case "string_pattern_mismatch":
            return f"{written!r} is not of the form {one['ctx']['pattern']}"
        case _:
            return one["msg"].removeprefix("Value error, ")
