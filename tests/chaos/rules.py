"""Rules that a farm has to keep all the time, judged from what the database has noted of its own changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from tests.chaos.witness import Seen
from trtfarm.jobs.state import JobState
from trtfarm.workers import WorkerState

#: A worker that has just asked whether it may may take one more job.
_ONE_MORE = timedelta(seconds=2)
_AWAY = (WorkerState.PAUSED, WorkerState.DRAINING)


def misplaced(seen: Sequence[Seen], required: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Jobs that ran on a worker without the labels that all who ever wanted them require.

    `required` is by submission.
    """
    labels: dict[str, set[str]] = {}
    wanted = _wanted(seen, required)
    for one in seen:
        if one.what == "worker":
            labels[one.facts["id"]] = set(one.facts["labels"])
        elif _claim(one):
            job, owner = one.facts["id"], one.facts["owner"]
            if lacking := wanted.get(job, set()) - labels.get(owner, set()):
                yield f"job {job} ran on {owner}, which has no {', '.join(sorted(lacking))}"


def beyond_limits(seen: Iterable[Seen], limits: Mapping[str, int]) -> Iterator[str]:
    """Claims for a project that had as many running as it may. A claim comes after all that it saw."""
    project_of: dict[str, str] = {}
    for one in seen:
        if one.what != "job":
            continue
        job, project = one.facts["id"], one.facts["project"]
        running = Counter(project_of.values())[project]
        if _claim(one) and project in limits and running >= limits[project]:
            yield f"job {job} was begun for {project}, which had {running} running and may have {limits[project]}"
        if one.facts["state"] == JobState.RUNNING:
            project_of[job] = project
        else:
            project_of.pop(job, None)


def taken_while_away(seen: Iterable[Seen], stops: Collection[tuple[datetime, datetime]]) -> Iterator[str]:
    """Claims of workers that were paused or drained; while anything was stopped, nobody can tell how late one is."""
    away: dict[str, datetime] = {}
    for one in seen:
        if one.what == "worker":
            if one.facts["state"] in _AWAY:
                away[one.facts["id"]] = one.at
            else:
                away.pop(one.facts["id"], None)
        elif _claim(one) and (since := away.get(one.facts["owner"])) is not None:
            told = one.at - since
            if told > _ONE_MORE and not any(begin < one.at and end > since for begin, end in stops):
                yield f"{one.facts['owner']} began job {one.facts['id']} {told.total_seconds():.1f} s after it was away"


def taken_away(seen: Iterable[Seen]) -> Iterator[str]:
    """Rows that clean-up took although a submission that goes on needed them, or somebody had pinned them."""
    for one in seen:
        if one.what == "gone" and (one.facts["needed"] or one.facts["pinned"]):
            why = "pinned" if one.facts["pinned"] else "needed"
            yield f"{one.facts['id']} of {one.facts['from']} is gone, and was {why}"


def gone(seen: Iterable[Seen]) -> set[str]:
    """The ids of rows that clean-up took."""
    return {one.facts["id"] for one in seen if one.what == "gone"}


def untold(seen: Iterable[Seen], history: Mapping[str, Sequence[tuple[str | None, str]]]) -> Iterator[str]:
    """Jobs whose own history, of (from, to), is not what happened to them."""
    happened: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
    for one in seen:
        if one.what == "job" and one.facts["was"] != one.facts["state"]:
            happened[one.facts["id"]].append((one.facts["was"], one.facts["state"]))
    for job in happened.keys() | history.keys():
        if happened[job] != list(history.get(job, ())):
            yield f"the history of job {job} says {history.get(job)}, and it was {happened[job]}"


def _wanted(seen: Iterable[Seen], required: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """The labels that every submission requires which wanted a job, by job."""
    wanted: dict[str, set[str]] = {}
    for one in seen:
        if one.what == "wish":
            job, labels = one.facts["job"], set(required[one.facts["submission"]])
            wanted[job] = wanted.get(job, labels) & labels
    return wanted


def _claim(one: Seen) -> bool:
    return one.what == "job" and (one.facts["was"], one.facts["state"]) == (JobState.QUEUED, JobState.RUNNING)
