"""The history in SQLite, PostgreSQL or MySQL, by SQLAlchemy Core."""

from scheduler.history.sql.database import SqlDatabase

__all__ = ["SqlDatabase"]
