"""The HTTP side of the service: a Flask application that starts nothing, and the processes that serve it."""
