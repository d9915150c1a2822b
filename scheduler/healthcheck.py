"""``python -m scheduler.healthcheck``: check the service of this machine, for a container's HEALTHCHECK.

It reads the same settings as the service, so it knows the port.  Exit code 0 means healthy.
"""

from __future__ import annotations

import http.client
import sys
from typing import Final

from scheduler.config.reading import Settings, load_settings
from scheduler.errors import ConfigError

SECONDS: Final = 4.0
_EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not listened on


def unhealthy(settings: Settings) -> str | None:
    """Return what is wrong; None when the service is healthy, or is a worker without ``Metrics.Port``."""
    host, port = settings.server.host, settings.server.port
    if settings.server.role == "worker":
        host, port = settings.metrics.host or host, settings.metrics.port
        if port == 0:
            return None
    host = _EVERY_ADDRESS.get(host, host)
    # Not urllib: it would send the request to a proxy that the container's environment may name.
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        return None if answer.status == 200 else f"/health answers {answer.status}: {answer.read(2000).decode()}"
    except (OSError, http.client.HTTPException) as error:
        return f"http://{host}:{port}/health does not answer: {error}"
    finally:
        connection.close()


def main() -> int:
    """Return the exit code; when it is not 0, write the reason to stderr."""
    try:
        reason = unhealthy(load_settings())
    except ConfigError as error:
        reason = str(error)
    if reason is not None:
        sys.stderr.write(f"{reason}\n")
    return int(reason is not None)


if __name__ == "__main__":
    sys.exit(main())
