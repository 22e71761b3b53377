"""The audit log."""

from __future__ import annotations

from fastapi import APIRouter

from trtfarm.audit import AuditEntry, find_entries
from trtfarm_api.access import Admin, FarmHere
from trtfarm_api.pages import InPages, Page, Text

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get("")
def entries(
    *, farm: FarmHere, _actor: Admin, paging: InPages, who: Text = None, what: Text = None, project: Text = None
) -> Page[AuditEntry]:
    """Changes that somebody was let in to ask for, newest first.

    `who` is a token's id, its start or its name, or `local`; `what` any part of method and path, or of the ids of rows
    that were made or changed.
    """
    filters = {"who": who, "what": what, "project": project}
    with farm.database.read() as session:
        found = find_entries(session, **filters, limit=paging.wanted, within=paging.window("audit", filters))
    return paging.page("audit", filters, [entry.position for entry in found], found)
