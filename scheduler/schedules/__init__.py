"""Schedules at work: ``changing.py`` does what clients ask, ``planner.py`` makes the messages of their moments."""
