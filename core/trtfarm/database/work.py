"""What has to be done and who does it: jobs, their events, submissions with their steps, workers, projects' shares."""

# Without annotations from __future__, each of which SQLAlchemy would evaluate whenever the program starts.
from datetime import datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from trtfarm.database.base import Base, Count, Created, JsonList, JsonObject, RowId, Time
from trtfarm.database.columns import Counter, Digest, Id, Requires, UtcTime, one_of
from trtfarm.jobs.state import JobState, StepState, SubmissionState
from trtfarm.requirements import ANYWHERE, Requirements

#: At most one job of a key is queued or running: the database itself keeps the promise of single-flight.
LIVE_JOBS = text("state IN ('queued', 'running')")
QUEUED_JOBS = text("state = 'queued'")
RUNNING_JOBS = text("state = 'running'")


class JobRow(Base):
    """One piece of work. Only the modules of `trtfarm.jobs` write here."""

    __tablename__ = "jobs"
    __table_args__ = (
        # The migration says so for PostgreSQL too; here, naming it would import its dialect into every command.
        Index("uq_jobs_live_key", "key", unique=True, sqlite_where=LIVE_JOBS),
        # No index holds what a heartbeat changes, so that PostgreSQL can write the row alone.
        Index("ix_jobs_state_created_id", "state", "created", "id"),
        Index("ix_jobs_running", "project", "capability", sqlite_where=RUNNING_JOBS),
        Index("ix_jobs_key_created", "key", "created"),
        Index("ix_jobs_created_id", "created", "id"),
    )

    id: Mapped[RowId]
    kind: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(Digest)
    #: What a worker must offer to run it, such as `cpu` or `tensorrt-8.5.3.1/sm_90`.
    capability: Mapped[str] = mapped_column(String(100), default="cpu")
    #: Which of those that offer it may run it.
    requires: Mapped[Requirements] = mapped_column(Requires, default=ANYWHERE)
    request: Mapped[JsonObject]
    state: Mapped[JobState] = mapped_column(one_of(JobState))
    #: How often it was claimed; also the fencing token, so it only grows.
    attempt: Mapped[Count]
    max_attempts: Mapped[Count]
    owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[Time | None]
    #: Higher goes first among the jobs of its project.
    priority: Mapped[Count]
    #: When it was its project's turn, in turns and not in seconds (`jobs.sharing`); null until a worker takes it.
    turn: Mapped[float | None] = mapped_column(Float, index=True)
    created: Mapped[Created]
    #: When it last became queued.
    queued_at: Mapped[Created]
    #: When a message naming it was last given to the broker.
    hinted_at: Mapped[Time | None]
    started: Mapped[Time | None]
    finished: Mapped[Time | None]
    cancel_requested: Mapped[bool]
    error: Mapped[JsonObject | None]
    result: Mapped[JsonObject | None]
    #: In whose queue it waits, and as whose it counts while it runs; others may want it, too.
    project: Mapped[str] = mapped_column(String(100), default="default")


# A queue for each kind of requirements and project, in the order in which workers take its jobs: the first one of it is
# found without a sort.
Index(
    "ix_jobs_queued",
    JobRow.capability,
    JobRow.requires,
    JobRow.project,
    JobRow.priority.desc(),
    JobRow.queued_at,
    JobRow.id,
    sqlite_where=QUEUED_JOBS,
)


class ProjectRow(Base):
    """How a project shares in the workers, where somebody has said so; any other has a weight of 1 and no limit."""

    __tablename__ = "projects"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    weight: Mapped[Count]
    #: Jobs that workers run for it at once; null for any number.
    max_running: Mapped[int | None]


class EventRow(Base):
    """One line of a job's history. Ids only grow, so a reader asks for what came after the last one it saw."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_job_id_id", "job_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id"))
    attempt: Mapped[Count]
    at: Mapped[Created]
    kind: Mapped[str] = mapped_column(String(32))
    data: Mapped[JsonObject]


class SubmissionRow(Base):
    """What a user asked for in one go: a small graph of steps."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("project", "idempotency_key"),
        Index("ix_submissions_state_created", "state", "created"),
        Index("ix_submissions_created_id", "created", "id"),
        Index("ix_submissions_project_created_id", "project", "created", "id"),
    )

    id: Mapped[RowId]
    request: Mapped[JsonObject]
    state: Mapped[SubmissionState] = mapped_column(one_of(SubmissionState))
    created: Mapped[Created]
    finished: Mapped[Time | None]
    error: Mapped[JsonObject | None]
    #: A word of the client's choice: sending the same submission twice in a project makes one.
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    project: Mapped[str] = mapped_column(String(100), default="default")
    #: Digest of what the client sent under the key, before anything was filled in.
    asked: Mapped[str | None] = mapped_column(Digest)
    #: The token that it came by; null where none was needed.
    created_by: Mapped[str | None] = mapped_column(String(40))


class StepRow(Base):
    """One step of a submission; it points at the job that does it, which other submissions may share."""

    __tablename__ = "steps"

    submission_id: Mapped[str] = mapped_column(Id, ForeignKey("submissions.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    position: Mapped[Count]
    #: Names of the steps that must be done first.
    needs: Mapped[JsonList]
    state: Mapped[StepState] = mapped_column(one_of(StepState), index=True)
    job_id: Mapped[str | None] = mapped_column(Id, ForeignKey("jobs.id"), index=True)
    key: Mapped[str | None] = mapped_column(Digest, index=True)
    result: Mapped[JsonObject | None]
    error: Mapped[JsonObject | None]


class WorkerRow(Base):
    """A worker process, alive as long as it renews its lease."""

    __tablename__ = "workers"

    id: Mapped[RowId]
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    toolchains: Mapped[JsonList]
    #: Capabilities of jobs that it takes.
    capabilities: Mapped[JsonList] = mapped_column(default=list)
    #: Name, UUID, compute capability, memory and health of each of its GPUs.
    gpus: Mapped[JsonList] = mapped_column(default=list)
    #: `key=value`, as its operator gave them.
    labels: Mapped[JsonList] = mapped_column(default=list)
    #: Bytes of its host's memory; null where it does not tell.
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    #: Jobs it runs at once.
    slots: Mapped[Count]
    started: Mapped[Created]
    lease_until: Mapped[datetime] = mapped_column(UtcTime)
    #: Its last heartbeat; null of one of an older release, as is its version.
    heard: Mapped[datetime | None] = mapped_column(UtcTime)
    version: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    #: Why it is in this state, where it took itself there.
    reason: Mapped[str | None] = mapped_column(Text)
