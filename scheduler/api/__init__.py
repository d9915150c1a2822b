"""The HTTP side of the service: a Flask application that starts nothing, and the processes that serve it."""

from scheduler.api.app import create_app
from scheduler.api.services import Services

__all__ = ["Services", "create_app"]
