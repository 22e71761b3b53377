"""Submissions that calibrate in shares of the data, on any database."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.contracts.submission_bench import Bench, OnBench
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.candidates import candidate_rules
from trtfarm.errors import CorruptBlobError, DataError, MissingBlobError
from trtfarm.retention.checkup import check_up
from trtfarm.retention.cleaning import clean
from trtfarm.retention.policy import Policy
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.explain import explain
from trtfarm.submissions.submission import Submission

RULE = CalibrationRule.of(Calibrator.ENTROPY2, batch_size=50)
FIRST, SECOND, THIRD = (f"observe histogram {number}/3" for number in (1, 2, 3))
OBSERVED = (FIRST, "observe bases", SECOND, THIRD)


def cut(bench: Bench, model_id: str | None = None, shards: int = 3, **values: Any) -> SubmissionRequest:
    """Entropy2 in three shards, for one target, not verified."""
    return bench.request(model_id, "sm_86", **{"rule": RULE, "test_dataset_id": None, "shards": shards, **values})


def kinds(bench: Bench) -> Counter[str]:
    """Kinds of the queued jobs."""
    return Counter(job.kind for job in bench.queued())


def do(bench: Bench, submission: Submission, *steps: str) -> None:
    for step in steps:
        bench.do(bench.job_of(submission, step))


class ShardedSubmissionContract(OnBench):
    """Run with a fixture `database`."""

    def test_shards_are_there_to_be_observed_at_the_same_time(self, bench: Bench) -> None:
        submission = bench.submit(cut(bench))
        states = bench.states(submission)
        assert {name for name, state in states.items() if state == "active"} == {FIRST, "observe bases"}
        do(bench, submission, "observe bases")
        assert kinds(bench) == {"observe": 3}
        jobs = {step: bench.job_of(submission, step) for step in OBSERVED}
        assert {step: job.request["samples"] for step, job in jobs.items()} == {
            FIRST: [0, 150],
            SECOND: [150, 300],
            THIRD: [300, 500],
            "observe bases": [0, 500],
        }
        assert {job.capability for job in jobs.values()} == {"cpu"}
        do(bench, submission, THIRD, FIRST)
        assert bench.states(submission)["calibrate"] == "pending"
        do(bench, submission, SECOND)
        merge = bench.queued_of("calibrate")
        gave = {step.name: step.result for step in bench.get(submission).steps}
        wanted = [{"observation_id": name} for name in merge.request["observations"]]
        assert wanted == [gave[step] for step in (FIRST, SECOND, THIRD)]
        bench.do_all()
        assert (bench.get(submission).state, bench.get(submission).hit) == ("done", False)

    def test_a_retry_has_made_again_what_clean_up_took_meanwhile(self, bench: Bench) -> None:
        submission = bench.submit(cut(bench))
        do(bench, submission, FIRST)
        bases = bench.job_of(submission, "observe bases")
        bench.farm.cancel(bases.id)
        assert bench.get(submission).state == "cancelled"
        clean(bench.farm, Policy(), grace_seconds=-1)
        bench.farm.retry(bases.id)
        assert bench.states(submission)[FIRST] == "active"
        bench.do_all()
        assert bench.get(submission).state == "done"

    @pytest.mark.parametrize("shards", [(3, 1), (1, 3), (3, 2)])
    def test_a_table_is_found_however_the_data_was_cut_for_it(self, bench: Bench, shards: tuple[int, int]) -> None:
        model, (made, asked) = bench.model(), shards
        first = bench.submit(cut(bench, model, made))
        bench.do_all()
        again = bench.submit(cut(bench, model, asked))
        assert (again.state, again.hit, again.table_id) == ("done", True, bench.get(first).table_id)
        assert bench.queued() == []

    def test_a_share_that_fails_fails_the_submission_and_the_others_are_kept(self, bench: Bench) -> None:
        model = bench.model()
        submission = bench.submit(cut(bench, model))
        do(bench, submission, "observe bases", FIRST, THIRD)
        error = DataError("a value is not a number among samples 150 to 199", remedy="leave such samples out")
        bench.fail(bench.job_of(submission, SECOND), error)
        states = {FIRST: "done", "observe bases": "done", SECOND: "failed", THIRD: "done"}
        rest = dict.fromkeys(("calibrate", "quantize", "build sm_86"), "skipped")
        assert bench.states(submission) == {**states, **rest}
        failed = bench.get(submission)
        assert (failed.state, [step.error for step in failed.steps if step.error]) == ("failed", [error.as_dict()])
        again = bench.submit(cut(bench, model))
        assert [job.request["samples"] for job in bench.queued()] == [[150, 300]]
        bench.do_all()
        assert bench.get(again).state == "done"

    def test_of_a_worker_that_is_gone_only_its_share_is_done_again(self, bench: Bench) -> None:
        submission = bench.submit(cut(bench))
        do(bench, submission, "observe bases", FIRST)
        assert bench.farm.jobs.claim(bench.job_of(submission, SECOND).id, "doomed") is not None
        do(bench, submission, THIRD)
        bench.farm.jobs.abandon("doomed", counts=True)
        assert [job.request["samples"] for job in bench.queued()] == [[150, 300]]
        bench.do_all()
        attempts = {step: bench.job_of(submission, step).attempt for step in OBSERVED}
        assert attempts == {FIRST: 1, "observe bases": 1, SECOND: 2, THIRD: 1}
        assert bench.get(submission).state == "done"

    def test_submissions_of_the_same_share_what_is_observed_and_the_table(self, bench: Bench) -> None:
        model = bench.model()
        one, other, whole = (bench.submit(cut(bench, model, shards)) for shards in (3, 3, 1))
        assert kinds(bench) == {"observe": 2, "calibrate": 1}
        do(bench, one, *OBSERVED)
        assert bench.job_of(one, "calibrate") == bench.job_of(other, "calibrate") == bench.job_of(whole, "calibrate")
        bench.do_all()
        assert {bench.get(each).state for each in (one, other, whole)} == {"done"}

    def test_a_table_that_comes_meanwhile_spares_what_is_left(self, bench: Bench) -> None:
        model = bench.model()
        submission, whole = bench.submit(cut(bench, model)), bench.submit(cut(bench, model, 1))
        do(bench, whole, "calibrate")
        do(bench, submission, "observe bases", FIRST)
        states = bench.states(submission)
        assert [states[step] for step in (*OBSERVED, "calibrate")] == ["done", "done", "hit", "hit", "hit"]
        bench.do_all()
        assert bench.get(submission).state == "done"

    def test_several_rules_go_by_the_same_histograms(self, bench: Bench) -> None:
        candidates = candidate_rules(batch_size=50, quantile=None, native=False)
        wanted: dict[str, Any] = {"rule": None, "candidates": candidates, "test_dataset_id": "dat_test"}
        submission = bench.submit(cut(bench, shards=2, **wanted))
        done = Counter(job.kind for job in bench.do_all())
        assert (done["observe"], done["calibrate"]) == (5, 4)
        assert bench.get(submission).state == "done"

    def test_of_some_tables_that_are_there_what_the_others_need_is_observed(self, bench: Bench) -> None:
        model = bench.model()
        bench.submit(cut(bench, model, 1))
        bench.do_all()
        candidates = tuple(CalibrationRule.of(word, batch_size=50) for word in (Calibrator.ENTROPY2, Calibrator.MSE))
        wanted: dict[str, Any] = {"rule": None, "candidates": candidates, "test_dataset_id": "dat_test"}
        submission = bench.submit(cut(bench, model, 2, **wanted))
        assert bench.states(submission)["calibrate entropy2"] == "hit"
        done = Counter(job.kind for job in bench.do_all())
        assert (done["observe"], done["calibrate"]) == (3, 1)

    def test_statistics_that_turn_out_to_be_damaged_are_made_again_on_the_way(self, bench: Bench) -> None:
        model = bench.model()
        first = bench.submit(cut(bench, model))
        do(bench, first, *OBSERVED)
        bench.fail(bench.queued_of("calibrate"), DataError("ends before it has a table"))
        again = bench.submit(cut(bench, model))
        assert [bench.states(again)[step] for step in OBSERVED] == ["hit"] * 4
        bench.farm.blobs.delete(bench.blob_of(again, SECOND))
        bench.fail(bench.queued_of("calibrate"), CorruptBlobError("bytes do not match"))
        assert [job.request["samples"] for job in bench.queued()] == [[150, 300]]
        bench.do_all()
        assert bench.get(again).state == "done"

    def test_a_table_that_is_gone_after_it_spared_the_shares_has_them_observed(self, bench: Bench) -> None:
        model = bench.model()
        bench.submit(cut(bench, model, 1))
        bench.do_all()
        submission = bench.submit(cut(bench, model, quantizer_options={"exclude_nodes": ["c1"]}))
        assert [bench.states(submission)[step] for step in (*OBSERVED, "calibrate")] == ["hit"] * 5
        bench.farm.blobs.delete(bench.blob_of(submission, "calibrate"))
        bench.fail(bench.queued_of("quantize"), MissingBlobError("no bytes"))
        assert kinds(bench) == {"observe": 2}
        bench.do_all()
        assert set(bench.states(submission).values()) == {"done"}

    def test_a_dry_run_tells_what_would_be_observed(self, bench: Bench) -> None:
        request = cut(bench)

        def told() -> dict[str, tuple[bool, bool, bool]]:
            """Of each step up to the table: a hit, needless, and whether its key is known."""
            with bench.farm.database.read() as session:
                found = explain(session, request, bench.farm.complete)
            return {each.step: (each.hit, each.spared, each.key is not None) for each in found[:5]}

        miss, unknown, hit, spared = (False, False, True), (False,) * 3, (True, False, True), (True, True, False)
        assert told() == {
            FIRST: miss,
            "observe bases": miss,
            SECOND: unknown,
            THIRD: unknown,
            "calibrate": miss,
        }
        submission = bench.submit(request)
        do(bench, submission, "observe bases")
        assert told() == {FIRST: miss, "observe bases": hit, SECOND: miss, THIRD: miss, "calibrate": miss}
        bench.do_all()
        assert told() == {**dict.fromkeys(OBSERVED, spared), "calibrate": hit}
        bench.farm.blobs.delete(bench.blob_of(submission, "calibrate"))
        assert told() == {**dict.fromkeys(OBSERVED, hit), "calibrate": miss}

    def test_statistics_go_when_their_table_is_there(self, bench: Bench) -> None:
        """Not while a submission needs them. What goes is a file like all that no row names any more."""
        model = bench.model()
        submission = bench.submit(cut(bench, model))
        do(bench, submission, *OBSERVED)
        files = {bench.blob_of(submission, step) for step in OBSERVED}
        assert clean(bench.farm, Policy(), grace_seconds=0).garbage == []
        bench.do_all()
        assert clean(bench.farm, Policy()).garbage == []  # they are not a day old
        planned = clean(bench.farm, Policy(), grace_seconds=0, dry_run=True)
        assert {stored.blob.digest for stored in planned.garbage} == files
        assert clean(bench.farm, Policy(), grace_seconds=0).garbage == planned.garbage
        assert check_up(bench.farm, repair=False).orphans == 0
        assert bench.submit(cut(bench, model)).hit
        again = bench.submit(cut(bench, model, rule=CalibrationRule.of(Calibrator.MSE, batch_size=50)))
        assert bench.states(again)[FIRST] == "active"

    def test_statistics_of_a_submission_that_failed_are_kept_for_the_next_one(self, bench: Bench) -> None:
        model = bench.model()
        submission = bench.submit(cut(bench, model))
        do(bench, submission, "observe bases", FIRST, THIRD)
        bench.fail(bench.job_of(submission, SECOND), DataError("no"))
        assert clean(bench.farm, Policy()).garbage == []
        assert bench.states(bench.submit(cut(bench, model)))[THIRD] == "hit"

    def test_fresh_observes_everything_again(self, bench: Bench) -> None:
        request = cut(bench)
        first = bench.submit(request)
        bench.do_all()
        again = bench.submit(request, fresh=True)
        assert Counter(job.kind for job in bench.do_all())["observe"] == 4
        assert set(bench.states(again).values()) == {"done"}
        assert bench.get(again).table_id == bench.get(first).table_id
