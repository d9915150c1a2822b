"""Log files, the console and what may stand in them."""
