"""Tells streams when there is something new: one look at the database for all of them, however many clients follow."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy import func, select

from trtfarm.database.batches import batches
from trtfarm.database.schema import EventRow, StepRow, SubmissionRow
from trtfarm.database.session import Database
from trtfarm.errors import BusyError, TrtfarmError

_log = logging.getLogger(__name__)

#: How often the database is asked: it cannot wake us, those who write are other processes.
_LOOK_SECONDS = 0.25
#: Streams at once; each waits without a thread or a connection of the database.
_STREAMS = 1000


@dataclass
class Follower:
    """What one stream follows; `changed` is set when any of it may have changed since the last look, or is new."""

    submission: str | None = None
    jobs: set[str] = field(default_factory=set)
    changed: anyio.Event = field(default_factory=anyio.Event)
    seen: dict[str, Any] = field(default_factory=dict)

    def compare(self, versions: Mapping[str, Any]) -> None:
        followed = [*([self.submission] if self.submission else []), *self.jobs]
        found = {name: versions.get(name) for name in followed}
        if found != self.seen:
            self.seen = found
            self.changed.set()


class Changes:
    """What the streams of this process follow, and the one that looks for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: dict[int, Follower] = {}
        self._wanted = anyio.Event()

    @contextmanager
    def follower(self, submission: str | None = None) -> Iterator[Follower]:
        """Something to follow while the block lasts. Raises BusyError where there are too many already."""
        if len(self._followers) >= _STREAMS:
            raise BusyError(f"{_STREAMS} streams are open here", remedy="try again later, or ask without a stream")
        made = Follower(submission=submission)
        self._followers[id(made)] = made
        self._wanted.set()
        try:
            yield made
        finally:
            del self._followers[id(made)]

    async def look(self) -> None:
        """Looks again and again while anybody follows anything; ends with its task."""
        while True:
            if not self._followers:
                self._wanted = anyio.Event()
                await self._wanted.wait()
            try:
                await self._look_once()
            except TrtfarmError as error:
                _log.warning("no look at what changed, tried again: %s", error)
            await anyio.sleep(_LOOK_SECONDS)

    async def _look_once(self) -> None:
        followers = list(self._followers.values())
        jobs = {job for follower in followers for job in follower.jobs}
        submissions = {follower.submission for follower in followers if follower.submission}
        versions = await anyio.to_thread.run_sync(self._versions, jobs, submissions)
        for follower in followers:
            follower.compare(versions)

    def _versions(self, jobs: set[str], submissions: set[str]) -> dict[str, Any]:
        """Something for each id that differs when it has changed: of a job its last event, and changes are events."""
        found: dict[str, Any] = {}
        newest = select(EventRow.job_id, func.max(EventRow.id)).group_by(EventRow.job_id)
        states = select(SubmissionRow.id, SubmissionRow.state)
        steps = select(StepRow.submission_id, StepRow.state, StepRow.job_id).order_by(
            StepRow.submission_id, StepRow.position
        )
        with self._database.read() as session:
            for some in batches(sorted(jobs)):
                found.update(dict(session.execute(newest.where(EventRow.job_id.in_(some))).all()))
            for some in batches(sorted(submissions)):
                for submission, state in session.execute(states.where(SubmissionRow.id.in_(some))):
                    found[submission] = [state]
                for submission, *step in session.execute(steps.where(StepRow.submission_id.in_(some))):
                    found[submission].append(step)
        return found
