"""Submissions that find something out by themselves: the best of several calibrators, and nodes to leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.contracts.submission_bench import Bench, OnBench
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.schema import QuantizationRow, TableRow
from trtfarm.errors import MissingBlobError
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.explain import explain
from trtfarm.submissions.submission import Submission

RULES = tuple(CalibrationRule.of(word, batch_size=50) for word in (Calibrator.MINMAX, Calibrator.ENTROPY2))
TRIALS = {f"{step} {rule.calibrator}": "done" for rule in RULES for step in ("calibrate", "quantize", "verify")}


def cosine(value: float | None) -> dict[str, Any]:
    """What is verified; None where no output can be compared."""
    return {"classification": None, "outputs": {} if value is None else {"prob": {"cosine_mean": value}}}


def compared(bench: Bench, model_id: str | None = None, *targets: str, **values: Any) -> SubmissionRequest:
    return bench.request(model_id, *(targets or ("sm_89",)), rule=None, candidates=RULES, **values)


def do_all(bench: Bench, cosines: Mapping[Calibrator, float | None]) -> None:
    """Does all jobs; what is verified agrees with FP32 as is said of its calibrator."""
    while jobs := bench.queued():
        job = jobs[-1]
        bench.do(job, metrics=cosine(cosines[_calibrator_of(bench, job.request)] if job.kind == "verify" else 1.0))


def _calibrator_of(bench: Bench, request: Any) -> Calibrator:
    with bench.farm.database.read() as session:
        table_id = session.get_one(QuantizationRow, request["quantization_id"]).table_id
        return Calibrator(session.get_one(TableRow, table_id).rule["calibrator"])


def chosen(submission: Submission) -> Calibrator | None:
    """The calibrator whose table the submission goes on with."""
    tables = {
        str((step.result or {}).get("table_id")): step.name.removeprefix("calibrate ")
        for step in submission.steps
        if step.name.startswith("calibrate ")
    }
    return Calibrator(tables[submission.table_id]) if submission.table_id else None


class ComparedSubmissionContract(OnBench):
    """Run with a fixture `database`."""

    def test_the_best_is_built_and_the_choice_takes_no_job(self, bench: Bench) -> None:
        submission = bench.submit(compared(bench))
        do_all(bench, {Calibrator.MINMAX: 0.98, Calibrator.ENTROPY2: 0.99})
        assert bench.states(submission) == {
            **TRIALS,
            "choose": "hit",
            "quantize": "hit",
            "verify": "hit",
            "build sm_89": "done",
        }
        ended = bench.get(submission)
        assert chosen(ended) is Calibrator.ENTROPY2
        built = bench.job_of(submission, "build").request
        assert built["table_id"] == ended.table_id
        assert next(step.job_id for step in ended.steps if step.name == "choose") is None

    def test_of_equals_the_first_is_taken(self, bench: Bench) -> None:
        submission = bench.submit(compared(bench))
        do_all(bench, dict.fromkeys((Calibrator.MINMAX, Calibrator.ENTROPY2), 0.99))
        assert chosen(bench.get(submission)) is Calibrator.MINMAX

    def test_what_cannot_be_measured_is_not_taken(self, bench: Bench) -> None:
        submission = bench.submit(compared(bench))
        do_all(bench, {Calibrator.MINMAX: None, Calibrator.ENTROPY2: 0.5})
        assert chosen(bench.get(submission)) is Calibrator.ENTROPY2

    def test_all_of_it_is_found_again_and_the_losers_alone_too(self, bench: Bench) -> None:
        model = bench.model()
        first = bench.submit(compared(bench, model))
        do_all(bench, {Calibrator.MINMAX: 0.98, Calibrator.ENTROPY2: 0.99})
        again = bench.submit(compared(bench, model))
        assert again.hit
        assert again.table_id == bench.get(first).table_id
        with bench.farm.database.read() as session:
            explained = explain(session, compared(bench, model), bench.farm.complete)
        assert all(step.hit for step in explained)
        bench.submit(bench.request(model, "sm_89", rule=RULES[0]))
        assert [job.kind for job in bench.queued()] == ["build"]

    def test_the_gate_judges_the_best_alone(self, bench: Bench) -> None:
        passed = bench.submit(compared(bench, max_drop=0.01))
        do_all(bench, {Calibrator.MINMAX: 0.90, Calibrator.ENTROPY2: 0.995})
        assert bench.get(passed).state == "done"
        stopped = bench.submit(compared(bench, max_drop=0.01))
        do_all(bench, {Calibrator.MINMAX: 0.90, Calibrator.ENTROPY2: 0.95})
        assert bench.states(stopped) == {
            **TRIALS,
            "choose": "hit",
            "quantize": "hit",
            "verify": "failed",
            "build sm_89": "skipped",
        }

    def test_fresh_does_everything_once(self, bench: Bench) -> None:
        model = bench.model()
        bench.submit(compared(bench, model))
        do_all(bench, {Calibrator.MINMAX: 0.98, Calibrator.ENTROPY2: 0.99})
        bench.submit(compared(bench, model), fresh=True)
        done = bench.do_all()
        assert Counter(job.kind for job in done) == {"calibrate": 2, "quantize": 2, "verify": 2, "build": 1}

    def test_a_lost_table_is_made_again_behind_the_choice(self, bench: Bench) -> None:
        model = bench.model()
        first = bench.submit(compared(bench, model))
        cosines = {Calibrator.MINMAX: 0.99, Calibrator.ENTROPY2: 0.98}
        do_all(bench, cosines)
        other = bench.submit(compared(bench, model, "sm_86"))
        for step in ("calibrate minmax", "quantize minmax"):
            bench.farm.blobs.delete(bench.blob_of(first, step))
        bench.fail(bench.job_of(other, "build"), MissingBlobError("no bytes"))
        do_all(bench, cosines)
        assert bench.get(other).state == "done"
        assert chosen(bench.get(other)) is Calibrator.MINMAX

    def test_a_search_goes_on_with_the_best_and_is_found_again(self, bench: Bench) -> None:
        request = compared(bench, bench.model(), search=True, max_drop=0.05)
        submission = bench.submit(request)
        do_all(bench, {Calibrator.MINMAX: 0.98, Calibrator.ENTROPY2: 0.99})
        searched = bench.job_of(submission, "search").request
        assert searched["table_id"] == bench.get(submission).table_id
        assert (searched["allowed"], searched["measure"], searched["dataset_id"]) == (0.05, "cosine", "dat_cal")
        assert bench.states(submission)["build sm_89"] == "done"
        assert bench.submit(request).hit
