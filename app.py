"""Starts the service from a checkout, as ``message-scheduler serve`` does from a wheel.

scheduler/service.py shows the order of the start and of the stop.
"""

from __future__ import annotations

import os
import sys

from scheduler.service import main

if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit("app.py takes no arguments. To name a file of settings: python -m scheduler.cli serve --config FILE")
    # Not sys.exit(): Python waits for the pool's threads, also for one that ignores its grace.
    os._exit(main())
