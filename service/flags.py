"""The flags of a command that takes all settings: made from them, so that none is written twice."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand

GIVEN = "framewatch.flags"
"""Where the context keeps the settings that were given as flags."""


class SettingsCommand(TyperCommand):
    """A command with a flag for every setting, beside those of its function, which reads them with `given`.

    Settings are imported when the command is run or asked for its help: other commands need not wait for that.

    Example:
        >>> @app.command(cls=SettingsCommand)  # doctest: +SKIP
        ... def serve(ctx: typer.Context) -> None:
        ...     run(load_settings(given(ctx)))
    """

    @cached_property
    def _settings(self) -> list[Any]:
        flags = typer.Typer(add_completion=False)
        flags.command()(_function())
        return typer.main.get_command(flags).params

    def get_params(self, ctx: Any) -> list[Any]:
        """The function's own parameters, the settings, and --help."""
        *own, last = super().get_params(ctx)
        return [*own, *self._settings, last]

    def invoke(self, ctx: Any) -> Any:
        """Keeps the settings apart from what the function takes."""
        ctx.meta[GIVEN] = {option.name: ctx.params.pop(option.name) for option in self._settings}
        return super().invoke(ctx)


def given(ctx: typer.Context) -> dict[str, object]:
    """The settings that were given as flags, by name; None or empty where they were not."""
    found: dict[str, object] = ctx.meta[GIVEN]
    return found


def _function() -> Any:
    """A function that has every setting as an option. Values are text: the settings check them, whoever gives them."""
    from service.configuration import Fact, facts

    def parameter(fact: Fact) -> inspect.Parameter:
        notes = [fact.bounds] if fact.bounds else []
        if fact.default not in ("", '""', "[]", "{}"):
            notes.append("default " + fact.default.strip('"'))
        if fact.many:
            notes.append("may be given more than once")
        help = fact.description + (f" [{'; '.join(notes)}]" if notes else "")
        option = typer.Option(fact.flag, metavar=fact.unit, help=help, show_default=False)
        kind: Any = list[str] | None if fact.many else str | None
        return inspect.Parameter(
            fact.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
        )

    def settings(**flags: object) -> None:
        """Only its parameters are used."""

    settings.__signature__ = inspect.Signature([parameter(fact) for fact in facts() if fact.flag])  # type: ignore[attr-defined]
    return settings
