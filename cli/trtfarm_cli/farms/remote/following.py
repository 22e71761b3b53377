"""A submission at a farm behind HTTP, as a view shows it."""

from __future__ import annotations

from trtfarm.jobs.job import Event
from trtfarm.jobs.state import StepState
from trtfarm_cli.following import Following, waits_again
from trtfarm_cli.progress import View
from trtfarm_client import Client
from trtfarm_client.records import SubmissionRecord
from trtfarm_client.values import value_of


def follow(client: Client, submission: str, shown: View) -> None:
    """Returns when the submission is at its end. Raises UnreachableError for a farm that stays away."""
    following = Following(shown)
    _look(client, following, client.submission(submission))
    early: list[Event] = []
    for told in client.submission_events(submission):
        if told.kind == "job":
            event = value_of(Event, told.data)
            if following.knows(event.job_id):
                following.replay(event)
                if waits_again(event):
                    _excuse(client, following, event.job_id)
            else:  # which step it is of comes with the next look
                early.append(event)
        elif told.kind in ("submission", "end"):
            _look(client, following, value_of(SubmissionRecord, told.data))
            for event in early:
                following.replay(event)
            early.clear()


def _look(client: Client, following: Following, submission: SubmissionRecord) -> None:
    """Shows where the steps are, and of those just queued, why nobody does them."""
    new = following.watch(submission.steps)
    for step in submission.steps:
        if step.name in new and step.state is StepState.ACTIVE and step.job_id:
            _excuse(client, following, step.job_id)


def _excuse(client: Client, following: Following, job_id: str) -> None:
    found = client.job(job_id)
    if found.waiting:
        following.excuse(found.job, found.waiting)
