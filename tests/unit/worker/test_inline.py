"""A client that sees its submission through, and hears of what is done elsewhere."""

from __future__ import annotations

from tests.contracts.submission_bench import Bench, OnBench
from tests.contracts.submissions import PLAIN
from trtfarm.jobs.history import record
from trtfarm.jobs.job import Job
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.inline import see_through

WARNING = LogLine(level="warning", text="no layer computes in INT8")


class TestFollowing(OnBench):
    def test_what_a_job_says_is_heard_also_if_it_is_begun_and_ends_between_two_looks(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(None, "sm_86", **PLAIN))
        heard: list[tuple[Job, Progress | LogLine]] = []

        def do(job: Job, _reason: str) -> None:
            """As a worker does that comes right after a look."""
            claim = bench.farm.jobs.claim(job.id, "worker")
            assert claim is not None
            record(bench.farm.database, job.id, 1, [("log", {"level": WARNING.level, "text": WARNING.text})])
            bench.commit(claim, bench.store(claim))

        ended = see_through(
            bench.farm,
            submission.id,
            (),
            watcher=lambda _: None,
            listener=lambda job, event: heard.append((job, event)),
            excuser=do,
        )
        ((job, event),) = heard
        assert (ended.state, job.kind, job.attempt, event) == ("done", "build", 1, WARNING)
