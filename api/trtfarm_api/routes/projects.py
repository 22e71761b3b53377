"""Projects: how the workers are shared out between them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from trtfarm.jobs.sharing import Share
from trtfarm.projects import HIGHEST_WEIGHT, MOST_RUNNING, NAME_CHARACTERS, Project, list_projects, set_share
from trtfarm_api.access import Admin, FarmHere, Reader
from trtfarm_api.auditing import note

router = APIRouter(prefix="/v1/projects", tags=["projects"])

ProjectName = Annotated[str, Path(min_length=1, max_length=NAME_CHARACTERS, pattern=r"^[^\x00-\x1f]+$")]


class Projects(BaseModel):
    items: list[Project]


class NewShare(BaseModel):
    """What is left out is as if never said."""

    model_config = ConfigDict(extra="forbid")

    weight: Annotated[
        int, Field(ge=1, le=HIGHEST_WEIGHT, description="Jobs that it runs for each one of another project.")
    ] = 1
    max_running: Annotated[
        int | None, Field(ge=1, le=MOST_RUNNING, description="Jobs that workers do for it at once.")
    ] = None


@router.get("")
def projects(farm: FarmHere, actor: Reader) -> Projects:
    """The caller's own project, or all of them for who sees all, with the jobs that they have."""
    return Projects(items=list_projects(farm.database, actor.sees))


@router.put("/{project:path}")
def share(farm: FarmHere, _actor: Admin, request: Request, project: ProjectName, new: NewShare) -> Project:
    """Says how a project shares in the workers from now on."""
    changed = set_share(farm.database, project, Share(weight=new.weight, max_running=new.max_running))
    note(request, project=changed.name)
    return changed
