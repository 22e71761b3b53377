"""A look into the farm's own database without SQLAlchemy, whose import takes longer than most of what is found out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from urllib.parse import quote

from trtfarm.settings import Settings


def surely_without_model(settings: Settings, digest: str) -> bool:
    """Whether the farm has no model of this digest.

    False also where that cannot be said at once: of a database elsewhere, a busy one, and one of another release.
    """
    file = settings.own_database
    if file is None:
        return False
    try:
        if not file.exists():
            return True
        where = f"file:{quote(str(file))}?mode=ro"
        with closing(sqlite3.connect(where, timeout=0, uri=True)) as connection:
            return connection.execute("SELECT 1 FROM models WHERE digest = ?", (digest,)).fetchone() is None
    except (OSError, sqlite3.Error):
        return False
