"""``config check``, ``config show``: the settings as the service would read them here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler.cli.command import local
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, table, to_json

group = typer.Typer(help="The settings of a service: check them, and show where each comes from.", no_args_is_help=True)

Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The settings file. Else config/appsettings.json of the working folder, if it is there, else the defaults "
        "that come along. The environment wins over all of them.",
    ),
]


@group.command()
@local
def check(config: Config = None) -> Answer:
    """Check the settings of a file and the environment; exit code 2 with a line for each that cannot be used."""
    from scheduler import otel
    from scheduler.config.reading import ignored_variables, settings_file

    settings, _ = read(config)
    with _refused():
        otel.check(settings)
    file, warnings = config or settings_file(), ignored_variables()

    def picture() -> str:
        return "\n".join([f"The settings of {file} and of the environment can be used.", *warnings])

    return Answer({"file": str(file), "problems": [], "warnings": warnings}, picture)


@group.command()
@local
def show(config: Config = None) -> Answer:
    """Show every setting and where its value comes from: a variable, a file, or the default. Secrets are masked."""
    from scheduler.config.reading import secrets_of
    from scheduler.config.settings import every_setting
    from scheduler.masking import MASK, Masker

    settings, sources = read(config)
    masker = Masker(secrets_of(settings))

    def shown(setting: Any) -> Any:
        value = getattr(getattr(settings, setting.section), setting.name)
        if setting.secret and value:
            return MASK
        return masker(value) if isinstance(value, str) else value

    rows = [
        {
            "key": setting.key,
            "value": shown(setting),
            "from": sources.get(setting.key, "default"),
            "default": setting.field.default,
            "variable": setting.variable,
        }
        for setting in every_setting()
    ]

    def lines() -> Iterator[list[str]]:
        for row in rows:
            value = row["value"]
            yield [row["key"], value if isinstance(value, str) else to_json(value), row["from"]]

    return Answer(rows, lambda: table(["key", "value", "from"], lines()))


def read(config: Path | None) -> tuple[Any, dict[str, str]]:
    """Return the settings and the sources of those that are no default.  Raises ``Failure`` with all problems."""
    from scheduler.config.reading import load_with_sources

    with _refused():
        return load_with_sources(config)


@contextmanager
def _refused() -> Iterator[None]:
    from scheduler.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        raise Failure(Exit.USAGE, str(error), {"problems": error.problems}) from None
