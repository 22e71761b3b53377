"""Errors of database drivers, told in the farm's words."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from trtfarm.errors import DiskFullError, StorageError

#: SQLite's and PostgreSQL's words for it; the second is what a reader gets, who needs a small file beside the database.
_DISK_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100"})
_BUSY = "database is locked"
#: What SQLite says -> what to do about it.
_REMEDIES = {
    _BUSY: "another process keeps the database busy; try again",
    "unable to open database file": "check that the folder exists and can be written",
    "attempt to write a readonly database": "check the permissions of the database file and its folder",
    "file is not a database": "the file is something else; move it away, or name another database",
    "database disk image is malformed": "the file is damaged; restore it from a copy",
    "disk I/O error": "check the disk and its mount",
}


def storage_error(error: DBAPIError) -> StorageError:
    """The error to raise for what a driver raised; whatever it was about to write was rolled back."""
    said = str(error.orig).strip()
    if getattr(error.orig, "sqlite_errorname", getattr(error.orig, "sqlstate", None)) in _DISK_FULL:
        return DiskFullError("the database has no space left", cause=said, remedy="free some disk space and try again")
    return StorageError(
        "the database did not do what was asked",
        cause=said,
        remedy=_REMEDIES.get(said, "check that the database is up and reachable, then try again"),
    )
