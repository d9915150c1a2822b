"""``serve``: the service itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The settings file. Else config/appsettings.json of the working folder, if it is there, else the "
            "defaults that come along. The environment wins over all of them.",
        ),
    ] = None,
) -> None:
    """Run the service until a signal asks it to stop: what python app.py does in a checkout.

    Messages (data/) and logs (logs/) are kept in the working folder unless the settings say otherwise.
    """
    from scheduler.service import main

    # Not sys.exit(): Python waits for the pool's threads, also for one that ignores its grace.
    os._exit(main(config))
