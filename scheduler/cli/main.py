"""The command ``message-scheduler``."""

from __future__ import annotations

import typer

from scheduler.cli import serve

app = typer.Typer(
    name="message-scheduler",
    help="Accept a message now, deliver it at its moment, once, from any number of servers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)


@app.callback()
def _commands() -> None:
    pass


def main() -> None:
    """The console script."""
    app()
