"""The command ``message-scheduler``: which commands there are."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler import __version__
from scheduler.cli import (
    bench,
    changing,
    config,
    destinations,
    doctor,
    figures,
    flows,
    history,
    listen,
    messages,
    schedules,
    serve,
    tail,
)
from scheduler.cli.output import prepare

app = typer.Typer(
    name="message-scheduler",
    help="Accept a message now, deliver it at its moment, once, from any number of servers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)
for panel, commands in {
    "The service": {"serve": serve.serve, "doctor": doctor.doctor},
    "Messages": {
        "send": messages.send,
        "get": messages.get,
        "list": messages.list_,
        "edit": messages.edit,
        "cancel": changing.cancel,
        "run": changing.run,
        "redrive": changing.redrive,
    },
    "Control and sight": {
        "pause": changing.pause,
        "resume": changing.resume,
        "stats": figures.stats,
        "tail": tail.tail,
        "bench": bench.bench,
    },
    "Webhooks": {"listen": listen.listen},
}.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)
app.add_typer(schedules.group, name="schedules", rich_help_panel="Messages")
app.add_typer(flows.group, name="flows", rich_help_panel="Control and sight")
app.add_typer(destinations.group, name="destinations", rich_help_panel="Control and sight")
app.add_typer(history.group, name="history", rich_help_panel="Messages")
app.add_typer(config.group, name="config", rich_help_panel="The service")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    prepare()
    app(prog_name="message-scheduler")
