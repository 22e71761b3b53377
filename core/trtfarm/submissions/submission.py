"""A submission as the rest of the farm sees it: frozen values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trtfarm.errors import UsageError
from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm.submission_request import SubmissionRequest


@dataclass(frozen=True, kw_only=True)
class StepStatus:
    """Where one step is; `result` names the row of its result (`{"engine_id": …}`), `error` is an error as data."""

    name: str
    kind: str
    state: StepState
    job_id: str | None
    key: str | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None


#: Of an idempotency key, which is a header where it goes over HTTP.
LONGEST_KEY = 200
KEY_PATTERN = r"^[ -~]+$"


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Whose a submission is.

    Sent twice under an idempotency key in a project, it is made once; `asked` is the digest of what was sent.
    """

    project: str = "default"
    #: The token that it comes by; None where none is needed.
    token: str | None = None
    idempotency_key: str | None = None
    asked: str | None = None


#: A user of the farm's own machine.
LOCAL = Sender()


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A submission that is to be made; `fresh` does every step again, whatever is stored already."""

    request: SubmissionRequest
    fresh: bool = False
    sender: Sender = LOCAL


#: A submission's id, and the jobs to tell the broker of after the commit.
Made = tuple[str, list[str]]


def check_key(key: str) -> None:
    """Raises UsageError for what cannot be an idempotency key."""
    if len(key) > LONGEST_KEY or not re.match(KEY_PATTERN, key) or key.strip() != key:
        raise UsageError(
            f"{key[:40]!r} cannot be an idempotency key",
            cause=f"it has 1 to {LONGEST_KEY} characters of ASCII, and no space at its ends",
            remedy="make one with uuidgen, or name the run of the script: nightly-2026-11-21",
        )


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What was asked for and where it is."""

    id: str
    project: str
    #: The token that it came by; None where none was needed.
    created_by: str | None
    request: SubmissionRequest
    state: SubmissionState
    created: datetime
    finished: datetime | None
    steps: tuple[StepStatus, ...]

    @property
    def hit(self) -> bool:
        """Whether everything was there already."""
        return all(step.state is StepState.HIT for step in self.steps)

    @property
    def table_id(self) -> str | None:
        """The table that its scales are from, once it is there."""
        made = {step.name: step.result["table_id"] for step in self.steps if step.result and "table_id" in step.result}
        return self.request.table_id or made.get("choose") or made.get("calibrate")

    def result_ids(self, word: str) -> list[str]:
        """The ids that its steps gave under a word such as `engine_id`, in the order of the plan."""
        return [str(step.result[word]) for step in self.steps if step.result and word in step.result]
