"""Starts the service from a checkout, as ``message-scheduler serve`` does from a wheel.

scheduler/service.py shows the order of the start and of the stop.
"""

from __future__ import annotations

import os

from scheduler.service import main

if __name__ == "__main__":
    # Not sys.exit(): Python waits for the pool's threads, also for one that ignores its grace.
    os._exit(main())
