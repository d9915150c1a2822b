"""The settings, and reading them."""
