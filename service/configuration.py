"""From flags, environment and file to settings, and settings as text."""

from __future__ import annotations

import difflib
import json
import os
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from service.settings import PREFIX, Settings, SettingsError

NOT_SETTINGS = frozenset({"FRAMEWATCH_DEBUG", "FRAMEWATCH_DATA"})
"""Variables with the prefix that are read elsewhere."""

_SERVICE_LINK = re.compile(r"FRAMEWATCH_(SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP)\w*)")  # Kubernetes sets these
_UNITS = {"PB": 10**15, "TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3}


@dataclass(frozen=True, slots=True)
class Fact:
    """What help texts say of a setting.

    Attributes:
        name: of the setting, as in the file.
        group: heading under which it is listed.
        description: what it does.
        unit: what stands for its value.
        bounds: lowest and highest value, "1 to 100"; "" where every value of its kind will do.
        default: as it is written in the file; "" where there is none.
        flag: with its dashes; "" where there is none.
        variable: environment variable.
        many: whether the flag may be given more than once.
    """

    name: str
    group: str
    description: str
    unit: str
    bounds: str
    default: str
    flag: str
    variable: str
    many: bool


def facts() -> list[Fact]:
    """All settings, in the order of help texts."""
    found = []
    for name, field in Settings.model_fields.items():
        extra: Any = field.json_schema_extra
        flag = extra["flag"] or name
        in_bytes = extra["unit"] == "BYTES"
        found.append(
            Fact(
                name=name,
                group=extra["group"],
                description=field.description or "",
                unit=extra["unit"],
                bounds=_bounds(field.metadata, in_bytes),
                default=_written(field.default, in_bytes),
                flag="" if flag == "-" else "--" + flag.replace("_", "-"),
                variable=PREFIX + name.upper(),
                many=isinstance(field.default, tuple | dict),
            )
        )
    return found


def load_settings(flags: Mapping[str, object] | None = None) -> Settings:
    """Settings from flags, environment variables and the settings file, in this order.

    Args:
        flags: values by name of the setting; None and empty lists: not given.

    Raises:
        SettingsError: one is unknown or cannot be used; says which, where it was given, and what is expected.
    """
    given = {name: value for name, value in (flags or {}).items() if value not in (None, [], ())}
    _refuse_unknown_variables()
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(fault, given) for fault in error.errors())) from None


def describe(settings: Settings) -> str:
    """All settings with their help, as a settings file: what is at its default is commented out.

    Secrets are not shown.
    """
    lines = ["# framewatch settings. A flag goes before a variable, that before this file."]
    group = ""
    for fact in facts():
        if fact.group != group:
            group = fact.group
            lines += ["", "", f"##### {group}"]
        lines.append("")
        names = ", ".join(name for name in (fact.flag and f"{fact.flag} {fact.unit}", fact.variable) if name)
        about = fact.description + (f" From {fact.bounds}." if fact.bounds else "")
        lines += textwrap.wrap(about, 100, initial_indent="# ", subsequent_indent="# ")
        lines.append(f"# {names}")
        lines.append(_line(fact, settings))
    return "\n".join(lines) + "\n"


def _line(fact: Fact, settings: Settings) -> str:
    value = getattr(settings, fact.name)
    if isinstance(value, SecretStr):
        return f"# {fact.name} is set, and not shown"
    written = _written(value, fact.unit == "BYTES")
    # the name of the file cannot stand in the file
    if fact.name == "config" or fact.name not in settings.model_fields_set or not written:
        return f"# {fact.name} = {written}".rstrip()
    return f"{fact.name} = {written}"


def _written(value: object, in_bytes: bool = False) -> str:
    """A value in TOML; "" for none."""
    if value is None:
        return ""
    if in_bytes and isinstance(value, int):
        unit = next((unit for unit, many in _UNITS.items() if value and value % many == 0), "")
        return f'"{value // _UNITS[unit]}{unit}"' if unit else str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_written(item)}" for name, item in value.items()) + "}"
    return json.dumps(str(value) if isinstance(value, Path) else value)


def _bounds(metadata: list[Any], in_bytes: bool) -> str:
    found = {kind: getattr(bound, kind) for bound in metadata for kind in ("ge", "gt", "le") if hasattr(bound, kind)}
    if not found:
        return ""
    low = _written(found.get("ge", found.get("gt")), in_bytes).strip('"')
    high = _written(found["le"], in_bytes).strip('"')
    return f"{'above ' if 'gt' in found else ''}{low} to {high}"


def _refuse_unknown_variables() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for variable in sorted(os.environ):
        name = variable.upper()
        if name.startswith(PREFIX) and name not in known | NOT_SETTINGS and not _SERVICE_LINK.fullmatch(name):
            raise SettingsError(f"unknown variable {variable}{_nearest(name, known)}")


def _explain(fault: Any, flags: Mapping[str, object]) -> str:
    """One fault in words: where the value was given, the value unless it is a secret, what is expected."""
    said = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    if not fault["loc"]:
        return said
    name = str(fault["loc"][0])
    where = _where(name, flags)
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown setting{_nearest(name, Settings.model_fields)}"
    secret = "SecretStr" in str(Settings.model_fields[name].annotation)
    # of a list or a table, the message itself names the part that is wrong
    shown = "" if secret or not isinstance(fault["input"], str | int | float) else f" {_printable(str(fault['input']))}"
    return f"{where}{shown}: {said}"


def _printable(text: str) -> str:
    quoted = repr(text[:80])
    return quoted if not text or " " in text else quoted[1:-1]


def _where(name: str, flags: Mapping[str, object]) -> str:
    fact = next((fact for fact in facts() if fact.name == name), None)
    if name in flags:
        return fact.flag if fact is not None and fact.flag else name
    variables = {variable.upper(): variable for variable in os.environ}
    if PREFIX + name.upper() in variables:
        return variables[PREFIX + name.upper()]
    path = flags.get("config") or os.environ.get(PREFIX + "CONFIG")
    return f"{path}: {name}"


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f": did you mean {near[0]}?" if near else "; `framewatch settings` lists them"
