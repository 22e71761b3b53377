"""What submissions promise, on any database."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from tests.contracts.submission_bench import TWO_PERCENT, Bench, OnBench
from trtfarm.database.schema import EngineRow, HolderRow, SubmissionRow
from trtfarm.errors import (
    BuilderCrashError,
    CorruptBlobError,
    MissingBlobError,
    ModelError,
    NotFoundError,
    UsageError,
)
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.explain import Explanation, explain
from trtfarm.submissions.submission import Draft
from trtfarm_worker.committing import commit_all
from trtfarm_worker.stopping import Stopping

BUILDS = ("build sm_86", "build sm_89")
ALL = ("calibrate", "quantize", "verify", *BUILDS)
#: Builds alone, of the model as it is.
PLAIN: dict[str, Any] = {"precision": "fp32", "rule": None, "dataset_id": None, "test_dataset_id": None}
#: Two builds, one of which failed.
ONE_LOST = {"calibrate": "done", "quantize": "done", "build sm_86": "failed", "build sm_89": "done"}
#: For a retry to be through, where nothing keeps it waiting.
_LONG_ENOUGH_SECONDS = 0.5
#: Choices of a random schedule: which of the things that could happen next does.
schedules = st.lists(st.integers(0, 11), max_size=16)
#: Examples share a bench and take new models from it, and each database runs them as a class of its own.
EXPECTED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]


class SubmissionContract(OnBench):
    """Run with a fixture `database`."""

    def test_the_jobs_of_an_urgent_submission_go_first(self, bench: Bench) -> None:
        usual, urgent = (bench.submit(bench.request(priority=priority)) for priority in (0, 7))
        assert [bench.job_of(each, "calibrate").priority for each in (usual, urgent)] == [0, 7]
        with pytest.raises(UsageError, match="no priority 101"):
            bench.request(priority=101)

    def test_jobs_that_end_together_are_committed_together_but_for_those_that_are_somebody_elses(
        self, bench: Bench
    ) -> None:
        whole = bench.submit(bench.request(None, "sm_86", "sm_89", **PLAIN))
        part = bench.submit(bench.request(None, "sm_80", "sm_120", **PLAIN))
        claims = [bench.farm.jobs.claim(job.id, "worker") for job in bench.queued()]
        works = [bench.work(claim) for claim in claims if claim is not None]
        lost = next(work.claim for work in works if work.claim.job.request["compute_capability"] == "sm_120")
        bench.farm.jobs.release(lost)
        commit_all(bench.farm, works, Stopping())
        assert (bench.get(whole).state, bench.get(part).state) == ("done", "active")
        assert sorted(bench.states(part).values()) == ["active", "done"]
        assert bench.farm.jobs.get(lost.job.id).state == "queued"
        (again,) = bench.queued()
        bench.do(again)
        assert bench.get(part).state == "done"
        assert bench.farm.advance() == []
        with bench.farm.database.read() as session:
            assert session.scalars(select(HolderRow.holder)).all() == []
            assert session.scalar(select(func.count()).select_from(EngineRow)) == 4

    def test_what_follows_from_a_job_is_done_after_its_commit(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        claim = bench.farm.jobs.claim(bench.queued_of("calibrate").id, "worker")
        assert claim is not None
        commit_all(bench.farm, [bench.work(claim)], Stopping())
        assert bench.states(submission)["calibrate"] == "active"
        assert len(bench.farm.after_job(claim.job.id)) == 1
        assert bench.states(submission)["quantize"] == "active"

    def test_a_miss_runs_each_step_when_its_needs_are_done(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        assert bench.states(submission) == {**dict.fromkeys(ALL, "pending"), "calibrate": "active"}
        bench.do(bench.queued_of("calibrate"))
        assert bench.states(submission)["quantize"] == "active"
        bench.do(bench.queued_of("quantize"))
        assert Counter(job.kind for job in bench.queued()) == {"verify": 1, "build": 2}
        bench.do_all()
        done = bench.get(submission)
        assert (done.state, done.hit) == ("done", False)
        assert done.finished is not None
        assert len(done.result_ids("engine_id")) == 2
        assert [step.error for step in done.steps] == [None] * 5

    def test_a_step_that_is_done_says_which_jobs_to_announce(self, bench: Bench) -> None:
        _, queued = bench.farm.submit(bench.request())
        (calibrate,) = bench.queued()
        assert queued == [calibrate.id]
        (quantize,) = bench.do(calibrate)
        assert sorted(bench.do(bench.farm.jobs.get(quantize))) == sorted(job.id for job in bench.queued())

    def test_what_was_done_before_is_found_without_a_job(self, bench: Bench) -> None:
        request = bench.request()
        first = bench.submit(request)
        bench.do_all()
        again = bench.submit(request)
        assert bench.states(again) == dict.fromkeys(ALL, "hit")
        assert (again.state, again.hit) == ("done", True)
        assert [step.result for step in again.steps] == [step.result for step in bench.get(first).steps]
        assert bench.queued() == []

    def test_a_wider_submission_finds_what_is_there_and_runs_the_rest(self, bench: Bench) -> None:
        model = bench.model()
        bench.submit(bench.request(model, "sm_86"))
        bench.do_all()
        wider = bench.submit(bench.request(model, "sm_86", "sm_89"))
        assert bench.states(wider) == {**dict.fromkeys(ALL, "hit"), "build sm_89": "active"}
        assert [job.kind for job in bench.do_all()] == ["build"]
        assert bench.get(wider).state == "done"

    def test_fresh_does_everything_again_and_keeps_the_rows(self, bench: Bench) -> None:
        request = bench.request()
        first = bench.submit(request)
        bench.do_all()
        again = bench.submit(request, fresh=True)
        assert len(bench.do_all()) == 5
        assert bench.states(again) == dict.fromkeys(ALL, "done")
        assert [step.result for step in bench.get(again).steps] == [step.result for step in bench.get(first).steps]

    def test_submissions_of_the_same_share_their_jobs(self, bench: Bench) -> None:
        model = bench.model()
        one, other = bench.submit(bench.request(model)), bench.submit(bench.request(model, "sm_89", "sm_75"))
        assert bench.job_of(one, "calibrate") == bench.job_of(other, "calibrate")
        assert Counter(job.kind for job in bench.do_all()) == {"calibrate": 1, "quantize": 1, "verify": 1, "build": 3}
        assert bench.get(one).state == bench.get(other).state == "done"
        assert set(bench.get(one).result_ids("engine_id")) & set(bench.get(other).result_ids("engine_id"))

    def test_a_step_without_its_needs_is_skipped_and_the_error_told(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        bench.do(bench.queued_of("calibrate"))
        bench.fail(bench.queued_of("quantize"), ModelError("no such operator", remedy="export it again"))
        skipped = dict.fromkeys(("verify", *BUILDS), "skipped")
        assert bench.states(submission) == {"calibrate": "done", "quantize": "failed", **skipped}
        failed = bench.get(submission)
        assert failed.state == "failed"
        errors = [step.error for step in failed.steps]
        assert errors == [None, ModelError("no such operator", remedy="export it again").as_dict(), None, None, None]
        assert bench.queued() == []

    def test_one_failed_build_leaves_the_others_alone(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(None, "sm_86", "sm_89", test_dataset_id=None))
        bench.do(bench.queued_of("calibrate"))
        bench.do(bench.queued_of("quantize"))
        bench.fail(bench.job_of(submission, "build sm_86"), ModelError("does not fit"))
        assert bench.get(submission).state == "active"
        bench.do_all()
        assert bench.states(submission) == ONE_LOST
        assert bench.get(submission).state == "failed"

    def test_a_failed_job_is_done_anew_by_the_next_submission(self, bench: Bench) -> None:
        request = bench.request()
        first = bench.submit(request)
        bench.fail(bench.queued_of("calibrate"), ModelError("no"))
        again = bench.submit(request)
        assert bench.job_of(again, "calibrate").id != bench.job_of(first, "calibrate").id
        bench.do_all()
        assert bench.get(again).state == "done"
        assert bench.get(first).state == "failed"

    def test_the_result_of_a_retried_job_is_found(self, bench: Bench) -> None:
        request = bench.request()
        bench.submit(request)
        failed = bench.queued_of("calibrate")
        bench.fail(failed, ModelError("no"))
        bench.farm.jobs.retry(failed.id)
        bench.do_all()
        again = bench.submit(request)
        assert bench.states(again)["calibrate"] == "hit"

    def test_a_retried_job_lets_the_submissions_go_on_that_it_ended(self, bench: Bench) -> None:
        model = bench.model()
        one, other = bench.submit(bench.request(model, "sm_86")), bench.submit(bench.request(model, "sm_89"))
        failed = bench.queued_of("calibrate")
        bench.fail(failed, ModelError("no"))
        assert bench.get(one).state == bench.get(other).state == "failed"
        _, reopened = bench.farm.retry(failed.id)
        assert reopened == sorted([one.id, other.id])
        assert set(bench.states(one).values()) == {"active", "pending"}
        assert bench.get(one).finished is None
        bench.do_all()
        assert bench.get(one).state == bench.get(other).state == "done"
        assert all(step.error is None for step in bench.get(one).steps)

    def test_a_retry_leaves_what_else_was_lost(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(None, "sm_86", "sm_89", test_dataset_id=None))
        bench.do(bench.queued_of("calibrate"))
        bench.do(bench.queued_of("quantize"))
        for target in ("sm_86", "sm_89"):
            bench.fail(bench.job_of(submission, f"build {target}"), ModelError("does not fit"))
        bench.farm.retry(bench.job_of(submission, "build sm_89").id)
        assert bench.get(submission).state == "active"
        bench.do_all()
        assert bench.states(submission) == ONE_LOST
        assert bench.get(submission).state == "failed"

    def test_a_cancelled_job_that_is_retried_lets_its_submission_go_on(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        bench.farm.cancel(bench.queued_of("calibrate").id)
        assert bench.get(submission).state == "cancelled"
        bench.farm.retry(bench.job_of(submission, "calibrate").id)
        bench.do_all()
        assert bench.get(submission).state == "done"

    def test_a_retry_finds_the_submission_that_loses_its_step_just_then(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        job = bench.job_of(submission, "calibrate")
        bench.farm.jobs.cancel(job.id)
        beside = threading.Thread(target=bench.farm.retry, args=[job.id])
        with bench.farm.database.write() as session:
            bench.farm.submissions.advance(session, submission.id)
            beside.start()
            beside.join(_LONG_ENOUGH_SECONDS)
        beside.join()
        assert bench.get(submission).state == "active"
        bench.do_all()
        assert bench.get(submission).state == "done"

    def test_a_retry_that_is_refused_reopens_nothing(self, bench: Bench) -> None:
        request = bench.request()
        first = bench.submit(request)
        bench.fail(bench.queued_of("calibrate"), ModelError("no"))
        bench.submit(request)
        with pytest.raises(UsageError, match="another job"):
            bench.farm.retry(bench.job_of(first, "calibrate").id)
        assert bench.get(first).state == "failed"

    def test_what_is_just_being_finished_is_taken_and_not_done_again(self, bench: Bench) -> None:
        request = bench.request()
        bench.submit(request)
        claim = bench.farm.jobs.claim(bench.queued_of("calibrate").id, "worker")
        assert claim is not None
        blobs = bench.store(claim)
        with ThreadPoolExecutor(1) as pool:
            with bench.farm.database.write() as session:
                bench.write(session, claim, blobs)
                beside = pool.submit(bench.submit, request)
                assert not wait([beside], timeout=_LONG_ENOUGH_SECONDS).done
            later = beside.result()
        assert bench.states(later)["calibrate"] == "hit"
        assert bench.queued_of("quantize").id == bench.job_of(later, "quantize").id
        assert [job.kind for job in bench.do_all()].count("calibrate") == 0

    def test_an_attempt_worth_repeating_keeps_the_step_waiting(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        job = bench.queued_of("calibrate")
        bench.fail(job, BuilderCrashError("SIGSEGV"))
        assert bench.states(submission)["calibrate"] == "active"
        bench.do_all()
        assert bench.get(submission).state == "done"
        assert bench.farm.jobs.get(job.id).attempt == 2

    def test_a_gate_that_fails_skips_the_builds(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(max_drop=0.01))
        bench.do(bench.queued_of("calibrate"))
        bench.do(bench.queued_of("quantize"))
        assert [job.kind for job in bench.queued()] == ["verify"]
        bench.do(bench.queued_of("verify"), metrics=TWO_PERCENT)
        assert bench.states(submission) == {
            "calibrate": "done",
            "quantize": "done",
            "verify": "failed",
            **dict.fromkeys(BUILDS, "skipped"),
        }
        (error,) = [step.error for step in bench.get(submission).steps if step.error]
        assert error["code"] == "gate"
        assert "2.00%" in error["message"]
        assert bench.queued() == []

    def test_a_gate_judges_a_verification_that_is_stored_already(self, bench: Bench) -> None:
        model = bench.model()
        bench.submit(bench.request(model, "sm_86"))
        bench.do_all()
        strict = bench.submit(bench.request(model, "sm_86", max_drop=0.01))
        assert strict.state == "failed"
        assert bench.states(strict)["build sm_86"] == "skipped"
        lenient = bench.submit(bench.request(model, "sm_86", max_drop=0.03))
        assert (lenient.state, lenient.hit) == ("done", True)

    def test_the_same_engine_may_be_wanted_with_a_gate_and_without(self, bench: Bench) -> None:
        model = bench.model()
        strict = bench.submit(bench.request(model, max_drop=0.01))
        careless = bench.submit(bench.request(model))
        bench.do_all()
        assert (bench.get(strict).state, bench.get(careless).state) == ("failed", "done")

    @pytest.mark.parametrize("step", ["calibrate", "quantize", "build sm_86"])
    def test_a_result_whose_file_is_gone_is_made_again_under_its_id(self, bench: Bench, step: str) -> None:
        request = bench.request()
        first = bench.submit(request)
        bench.do_all()
        blob = bench.blob_of(first, step)
        bench.farm.blobs.delete(blob)
        again = bench.submit(request)
        assert bench.states(again)[step] == "active"
        assert [job.kind for job in bench.do_all()] == [step.partition(" ")[0]]
        assert bench.get(again).state == "done"
        assert [one.result for one in bench.get(again).steps] == [one.result for one in bench.get(first).steps]
        assert bench.farm.blobs.size(blob) is not None
        assert bench.submit(request).hit

    @pytest.mark.parametrize("error", [CorruptBlobError("bytes do not match"), MissingBlobError("no bytes")])
    def test_damage_that_a_later_step_finds_is_mended_on_the_way(
        self, bench: Bench, error: CorruptBlobError | MissingBlobError
    ) -> None:
        model = bench.model()
        bench.submit(bench.request(model, "sm_86"))
        bench.do_all()
        submission = bench.submit(bench.request(model, "sm_75", "sm_89"))
        assert bench.states(submission)["quantize"] == "hit"
        bench.farm.blobs.delete(bench.blob_of(submission, "quantize"))
        bench.fail(bench.job_of(submission, "build sm_75"), error)
        assert bench.states(submission) == {
            "calibrate": "hit",
            "quantize": "active",
            "verify": "hit",
            "build sm_75": "pending",
            "build sm_89": "active",
        }
        bench.fail(bench.job_of(submission, "build sm_89"), ModelError("does not fit"))
        bench.do_all()
        assert bench.states(submission) == {
            "calibrate": "hit",
            "quantize": "done",
            "verify": "hit",
            "build sm_75": "done",
            "build sm_89": "failed",
        }

    def test_what_was_made_and_is_lost_is_made_again_but_not_for_ever(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(None, "sm_86", test_dataset_id=None))
        bench.do(bench.queued_of("calibrate"))
        for quantized_again in ("active", "done"):
            bench.do(bench.queued_of("quantize"))
            bench.farm.blobs.delete(bench.blob_of(submission, "quantize"))
            bench.fail(bench.queued_of("build"), MissingBlobError("no bytes"))
            assert bench.states(submission)["quantize"] == quantized_again
        assert bench.states(submission)["build sm_86"] == "failed"

    def test_what_a_submission_made_and_lost_is_mended_on_the_way(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(None, "sm_86"))
        bench.do(bench.queued_of("calibrate"))
        bench.do(bench.queued_of("quantize"))
        bench.farm.blobs.delete(bench.blob_of(submission, "quantize"))
        for kind in ("verify", "build"):
            bench.fail(bench.queued_of(kind), CorruptBlobError("bytes do not match"))
        bench.do_all()
        assert bench.get(submission).state == "done"
        assert bench.farm.blobs.size(bench.blob_of(submission, "quantize")) is not None

    def test_a_missing_model_cannot_be_mended_by_any_step(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        bench.fail(bench.queued_of("calibrate"), MissingBlobError("no bytes"))
        assert bench.states(submission) == {**dict.fromkeys(ALL, "skipped"), "calibrate": "failed"}

    def test_a_cancelled_job_cancels_the_submission(self, bench: Bench) -> None:
        submission = bench.submit(bench.request())
        bench.fail(bench.queued_of("calibrate"), BuilderCrashError("SIGSEGV"))
        bench.farm.cancel(bench.queued_of("calibrate").id)
        assert bench.states(submission) == {**dict.fromkeys(ALL, "skipped"), "calibrate": "cancelled"}
        cancelled = bench.get(submission)
        assert cancelled.state == "cancelled"
        assert [step.error for step in cancelled.steps] == [None] * 5

    def test_a_cancelled_job_is_wanted_again_by_the_next_submission(self, bench: Bench) -> None:
        request = bench.request()
        bench.farm.cancel(bench.job_of(bench.submit(request), "calibrate").id)
        again = bench.submit(request)
        bench.do_all()
        assert bench.get(again).state == "done"

    def test_a_job_that_workers_die_of_fails_what_waits_and_what_comes(self, bench: Bench) -> None:
        request = bench.request()
        submission = bench.submit(request)
        job = bench.lose_workers(bench.queued_of("calibrate"))
        assert job.state is JobState.QUARANTINED
        bench.farm.advance()
        for failed in (bench.get(submission), bench.submit(request), bench.submit(request, fresh=True)):
            assert failed.state == "failed"
            assert bench.states(failed) == {**dict.fromkeys(ALL, "skipped"), "calibrate": "failed"}
            assert [step.error for step in failed.steps if step.error] == [job.error]
        assert [found.id for found in list_jobs(bench.farm.database)] == [job.id]

    def test_a_row_that_is_gone_fails_the_step(self, bench: Bench) -> None:
        submission = bench.submit(bench.request("mod_gone"))
        assert submission.state == "failed"
        assert submission.steps[0].error is not None
        assert submission.steps[0].error["code"] == NotFoundError.code

    def test_a_submission_that_cannot_be_read_does_not_hold_up_the_others(self, bench: Bench) -> None:
        strange, plain = bench.submit(bench.request()), bench.submit(bench.request())
        with bench.farm.database.write() as session:
            unread = update(SubmissionRow).where(SubmissionRow.id == strange.id)
            session.execute(unread.values(request={"written_by": "another release"}))
        for job in bench.queued():
            claim = bench.farm.jobs.claim(job.id, "worker")
            assert claim is not None
            bench.farm.jobs.fail(claim, ModelError("no"))
        assert bench.farm.advance() == []
        assert bench.get(plain).state == "failed"
        with pytest.raises(UsageError, match="cannot be read"):
            bench.get(strange)

    def test_nothing_is_stored_of_a_submission_that_broke_off(self, bench: Bench) -> None:
        request = bench.request()
        with bench.farm.database.write() as session:
            bench.farm.submissions.create(session, [Draft(request=request)])
            session.rollback()
        assert bench.queued() == []
        assert bench.farm.submissions.active() == []

    def test_what_only_waits_for_jobs_is_left_alone(self, bench: Bench) -> None:
        waiting, ended = bench.submit(bench.request()), bench.submit(bench.request())
        assert set(bench.farm.submissions.active()) == {waiting.id, ended.id}
        assert bench.farm.submissions.movable() == []
        claim = bench.farm.jobs.claim(bench.job_of(ended, "calibrate").id, "worker")
        assert claim is not None
        bench.farm.jobs.fail(claim, ModelError("no"))
        assert bench.farm.submissions.movable() == [ended.id]

    def test_fp32_is_built_from_the_model_alone(self, bench: Bench) -> None:
        wanted = bench.request(precision="fp32", rule=None, dataset_id=None, test_dataset_id=None)
        submission = bench.submit(wanted)
        assert bench.states(submission) == dict.fromkeys(BUILDS, "active")
        bench.do_all()
        assert bench.get(submission).state == "done"

    def test_float16_is_verified_and_built_from_the_converted_model(self, bench: Bench) -> None:
        model = bench.model()
        bench.submit(bench.request(model))
        bench.do_all()
        submission = bench.submit(bench.request(model, precision="int8+fp16"))
        expected = {"calibrate": "hit", "quantize": "hit", "convert": "active", "verify": "pending"}
        assert bench.states(submission) == {**expected, **dict.fromkeys(BUILDS, "pending")}
        bench.do_all()
        assert bench.get(submission).state == "done"
        converted = bench.blob_of(submission, "convert")
        assert converted != bench.blob_of(submission, "quantize")
        assert bench.job_of(submission, "verify").request["fields"]["quantized"] == converted
        build = bench.job_of(submission, "build sm_86").request
        assert build["fields"]["onnx"] == converted
        assert build["table_id"] == bench.job_of(submission, "convert").request["table_id"]

    def test_float16_alone_is_converted_from_the_model(self, bench: Bench) -> None:
        wanted = bench.request(precision="fp16", rule=None, dataset_id=None)
        submission = bench.submit(wanted)
        assert bench.states(submission) == {"convert": "active", **dict.fromkeys(("verify", *BUILDS), "pending")}
        bench.do_all()
        assert bench.get(submission).state == "done"
        assert bench.job_of(submission, "build sm_86").request["table_id"] is None

    def test_a_table_is_used_in_the_place_of_a_calibration(self, bench: Bench) -> None:
        model = bench.model()
        first = bench.submit(bench.request(model))
        bench.do_all()
        (table_id,) = bench.get(first).result_ids("table_id")
        given_table = bench.submit(bench.request(model, rule=None, dataset_id=None, table_id=table_id))
        assert bench.states(given_table) == dict.fromkeys(("quantize", "verify", *BUILDS), "hit")

    def test_explain_says_hit_miss_or_not_known_yet(self, bench: Bench) -> None:
        request = bench.request()
        assert [(one.step, one.hit, one.key is None) for one in _explained(bench, request)][:2] == [
            ("calibrate", False, False),
            ("quantize", False, True),
        ]
        bench.submit(request)
        bench.do_all()
        assert all(one.hit and one.nearest is None for one in _explained(bench, request))

    def test_explain_says_what_a_gate_would_stop(self, bench: Bench) -> None:
        model = bench.model()
        bench.submit(bench.request(model, "sm_86"))
        bench.do_all(metrics=TWO_PERCENT)
        *_, verify, build = _explained(bench, bench.request(model, "sm_86", max_drop=0.01))
        assert verify.hit
        assert verify.error is not None
        assert verify.error["code"] == "gate"
        assert (build.hit, build.skipped) == (False, True)
        lenient = _explained(bench, bench.request(model, "sm_86", max_drop=0.03))
        assert all(one.hit and not one.error for one in lenient)

    def test_explain_names_the_fields_that_differ_from_the_nearest(self, bench: Bench) -> None:
        model = bench.model()
        bench.submit(bench.request(model, "sm_86"))
        bench.submit(bench.request(None, "sm_75"))
        bench.do_all()
        build = _explained(bench, bench.request(model, "sm_89"))[-1]
        assert build.nearest is not None
        assert build.nearest.differs == {"compute_capability": ("sm_89", "sm_86")}

    def test_explain_tells_a_result_that_is_incomplete(self, bench: Bench) -> None:
        request = bench.request()
        submission = bench.submit(request)
        bench.do_all()
        bench.farm.blobs.delete(bench.blob_of(submission, "build sm_86"))
        (build,) = [one for one in _explained(bench, request) if not one.hit]
        assert build.nearest is not None
        assert build.nearest.differs == {}

    @settings(max_examples=10, suppress_health_check=EXPECTED)
    @given(schedule=schedules)
    def test_in_whatever_order_things_happen_each_key_is_done_once(self, bench: Bench, schedule: list[int]) -> None:
        model = bench.model()
        ids = [bench.submit(bench.request(model)).id, bench.submit(bench.request(model, "sm_89", "sm_75")).id]
        for choice in schedule:
            jobs = bench.queued()
            if choice < len(jobs):
                bench.do(jobs[choice])
            else:
                assert _advanced(bench, ids[choice % 2]) == []
            _check_order(bench, ids)
        bench.do_all()
        for submission_id in ids * 5:
            assert _advanced(bench, submission_id) == []
        assert [bench.get(submission_id).state for submission_id in ids] == ["done", "done"]
        mine = [job for job in list_jobs(bench.farm.database, limit=10_000) if job.request["model_id"] == model]
        assert Counter(job.kind for job in mine) == {"calibrate": 1, "quantize": 1, "verify": 1, "build": 3}
        assert {(job.state, job.attempt) for job in mine} == {("done", 1)}

    def test_a_submission_is_advanced_by_one_at_a_time(self, bench: Bench) -> None:
        """Two that each see the end of another job would both leave the submission open."""
        submission = bench.submit(bench.request())
        with ThreadPoolExecutor(1) as pool:
            with bench.farm.database.write() as session:
                bench.farm.submissions.advance(session, submission.id)
                second = pool.submit(_advanced, bench, submission.id)
                with pytest.raises(TimeoutError):
                    second.result(timeout=0.3)
            assert second.result() == []

    def test_submissions_that_want_the_same_at_once_do_not_lock_each_other_out(self, bench: Bench) -> None:
        capabilities = [f"sm_{number}" for number in range(75, 95)]
        requests = []
        for _ in range(3):
            model = bench.model()
            for order in (capabilities, capabilities[::-1], random.Random(7).sample(capabilities, 20)):
                wanted = bench.request(
                    model, *order, rule=None, dataset_id=None, test_dataset_id=None, precision="fp32"
                )
                requests.append(wanted)
        with ThreadPoolExecutor(3) as pool:
            submissions = list(pool.map(bench.submit, requests))
        assert {submission.state for submission in submissions} == {"active"}
        assert len(bench.queued()) == 3 * len(capabilities)


def _advanced(bench: Bench, submission_id: str) -> list[str]:
    with bench.farm.database.write() as session:
        return bench.farm.submissions.advance(session, submission_id)


def _explained(bench: Bench, request: SubmissionRequest) -> list[Explanation]:
    with bench.farm.database.read() as session:
        return explain(session, request, bench.farm.complete)


def _check_order(bench: Bench, ids: list[str]) -> None:
    """No step has begun before those it needs are met."""
    needs = {"quantize": ("calibrate",), "verify": ("quantize",), "build": ("quantize",)}
    for submission_id in ids:
        steps = {step.name: step for step in bench.get(submission_id).steps}
        for step in steps.values():
            begun = step.state != "pending"
            assert not begun or all(steps[need].state in {"hit", "done"} for need in needs.get(step.kind, ()))
