"""Schedules at work: ``changing.py`` carries out what clients ask, ``planner.py`` makes the messages of their moments."""
