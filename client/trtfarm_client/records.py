"""What the API answers with where the farm has no value of its own for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trtfarm.catalog.entries import DataSetEntry, ModelEntry
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import SubmissionState
from trtfarm.submissions.submission import StepStatus


@dataclass(frozen=True, kw_only=True)
class Health:
    """That the server answers, and its release."""

    status: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Who:
    """Whoever asks: a token's id and name, or `local` where none is needed; the scopes that it opens."""

    id: str
    name: str | None
    project: str
    scopes: tuple[str, ...]
    expires: datetime | None


@dataclass(frozen=True, kw_only=True)
class TokenRecord:
    """A token without what opens the API."""

    id: str
    name: str
    scopes: tuple[str, ...]
    project: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


@dataclass(frozen=True, kw_only=True)
class MadeToken(TokenRecord):
    """A token just made; nobody tells `token` again."""

    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """A public key in PEM; `own` is the one that the server's host signs with."""

    key: str
    own: bool
    public: str


@dataclass(frozen=True, kw_only=True)
class ModelRecord(ModelEntry):
    """A model; unless its files are there `whole`, they are to be handed in again."""

    whole: bool


@dataclass(frozen=True, kw_only=True)
class DataSetRecord(DataSetEntry):
    """A data set; unless its arrays are there `whole`, they are to be handed in again."""

    whole: bool


@dataclass(frozen=True, kw_only=True)
class SubmissionRecord:
    """A submission and where its steps are; `request` is as `SubmissionRequest.as_dict` gives it."""

    id: str
    project: str
    created_by: str | None
    state: SubmissionState
    created: datetime
    finished: datetime | None
    hit: bool
    steps: tuple[StepStatus, ...]
    request: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class CancelledSubmission:
    """A submission as it is now, and the ids of the jobs that it had waited for.

    `withdrawn` were queued and are no more, `stopping` run and are asked to stop, `left` go on because other
    submissions wait for them.
    """

    submission: SubmissionRecord
    withdrawn: tuple[str, ...]
    stopping: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A job, and why nobody does it where it is queued and nobody will."""

    job: Job
    waiting: str | None


@dataclass(frozen=True, kw_only=True)
class Retried:
    """A job that is queued again, and the submissions that go on with it."""

    job: Job
    submissions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Bytes on their way: `offset` of `size` have come."""

    id: str
    digest: str
    size: int
    offset: int
    expires: datetime
