"""echo: the message is printed on the console of the server."""
