"""The ways out: one folder per channel, each listed in registry.py; base.py says what a channel is."""
