"""What cancelling a whole submission promises, on any database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.submission_bench import Bench, OnBench
from trtfarm.errors import ModelError, NotFoundError
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import JobState
from trtfarm.submissions.submission import Sender, Submission


class CancelContract(OnBench):
    """Run with a fixture `database`."""

    def test_what_is_queued_is_withdrawn_and_nothing_follows(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        (job,) = bench.queued()
        cancelled = bench.farm.cancel_submission(submission.id)
        assert (cancelled.withdrawn, cancelled.stopping, cancelled.left) == ((job.id,), (), ())
        assert bench.get(submission).state == cancelled.state == "cancelled"
        assert set(bench.states(submission).values()) == {"cancelled"}
        assert bench.farm.advance() == []
        assert bench.queued() == []
        assert bench.farm.jobs.get(job.id).state is JobState.CANCELLED

    def test_what_is_done_stays_done_and_is_found_again(self, bench: Bench) -> None:
        request = bench.request()
        submission = bench.submit(request)
        bench.do(bench.queued_of("calibrate"))
        bench.farm.cancel_submission(submission.id)
        assert bench.states(submission)["calibrate"] == "done"
        again = bench.submit(request)
        assert bench.states(again)["calibrate"] == "hit"
        bench.do_all()
        assert bench.get(again).state == "done"

    def test_what_runs_is_asked_to_stop(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        claim = bench.farm.jobs.claim(bench.queued_of("calibrate").id, "worker")
        assert claim is not None
        assert bench.farm.cancel_submission(submission.id).stopping == (claim.job.id,)
        assert bench.farm.jobs.beat(claim)
        assert bench.farm.jobs.release(claim).state is JobState.CANCELLED

    def test_what_another_submission_wants_goes_on(self, bench: Bench) -> None:
        request = bench.request()
        mine, other = bench.submit(request), bench.submit(request)
        job = bench.queued_of("calibrate")
        assert bench.farm.cancel_submission(mine.id).left == (job.id,)
        bench.do_all()
        assert (bench.get(mine).state, bench.get(other).state) == ("cancelled", "done")
        assert bench.farm.cancel_submission(other.id).state == "done"

    def test_what_runs_for_two_goes_on_until_both_have_cancelled(self, bench: Bench) -> None:
        request = bench.request()
        mine, other = bench.submit(request), bench.submit(request)
        claim = bench.farm.jobs.claim(bench.queued_of("calibrate").id, "worker")
        assert claim is not None
        assert bench.farm.cancel_submission(mine.id).left == (claim.job.id,)
        assert not bench.farm.jobs.beat(claim)
        assert bench.farm.cancel_submission(other.id).stopping == (claim.job.id,)
        assert bench.farm.jobs.beat(claim)

    def test_the_project_of_who_is_left_gets_the_job(self, bench: Bench) -> None:
        request = bench.request()
        mine, _other = (_submitted_by(bench, request, project) for project in ("a", "b"))
        job = bench.queued_of("calibrate")
        assert job.project == "a"
        bench.farm.cancel_submission(mine.id)
        assert bench.farm.jobs.get(job.id).project == "b"

    def test_one_that_comes_after_the_end_begins_anew(self, bench: Bench) -> None:
        request = bench.request()
        first = bench.submit(request)
        claim = bench.farm.jobs.claim(bench.queued_of("calibrate").id, "worker")
        assert claim is not None
        bench.farm.cancel_submission(first.id)
        second = bench.submit(request)
        # It came before the worker had stopped, so that nothing of its work is lost.
        assert not bench.farm.jobs.beat(claim)
        assert bench.job_of(second, "calibrate").id == claim.job.id

    def test_a_retry_of_a_job_does_not_bring_back_who_has_cancelled(self, bench: Bench) -> None:
        request = bench.request()
        mine, other = bench.submit(request), bench.submit(request)
        bench.farm.cancel_submission(mine.id)
        job: Job = bench.queued_of("calibrate")
        bench.fail(job, ModelError("truncated"))
        assert bench.farm.retry(job.id)[1] == [other.id]
        assert (bench.get(mine).state, bench.get(other).state) == ("cancelled", "active")

    def test_an_ended_one_stays_as_it_is(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        bench.do_all()
        cancelled = bench.farm.cancel_submission(submission.id)
        assert (cancelled.state, cancelled.withdrawn) == ("done", ())
        assert bench.get(submission).state == "done"
        with pytest.raises(NotFoundError):
            bench.farm.cancel_submission("sub_none")


def _submitted_by(bench: Bench, request: Any, project: str) -> Submission:
    return bench.get(bench.farm.submit(request, sender=Sender(project=project))[0])
