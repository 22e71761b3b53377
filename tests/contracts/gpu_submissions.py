"""What submissions promise for targets that TensorRT builds on a GPU, on any database."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.contracts.rows import table_row
from tests.contracts.submission_bench import RULE, TWO_PERCENT, Bench, OnBench, gpu_target, target
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.schema import TableRow
from trtfarm.digests import digest_of_json
from trtfarm.origins import TableOrigin
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.explain import explain
from trtfarm.submissions.submission import Submission

H200 = gpu_target("sm_90")
BUILD, VERIFY = f"build {H200}", f"verify {H200}"
NATIVE: dict[str, Any] = {"targets": (H200,), "calibrate_on": H200}


class GpuSubmissionContract(OnBench):
    """Run with a fixture `database`."""

    def table(self, bench: Bench, model: str, **values: Any) -> str:
        """A table of the model, made by TensorRT 8.5.3.1 on an sm_90 unless told otherwise."""
        table_id = f"tab_{model}"
        facts: dict[str, Any] = {
            "key": digest_of_json([str(bench.folder), table_id]),
            "origin": TableOrigin.NATIVE,
            "tensorrt": "8.5.3.1",
            "rule": {**RULE.as_dict(), "device": {"name": "H200", "compute_capability": "sm_90"}},
            "calibrator": "minmax",
        }
        with bench.farm.database.write() as session:
            session.add(table_row(id=table_id, model_id=model, **{**facts, **values}))
        return table_id

    def from_table(self, bench: Bench, target: Any = H200, *, restamp: bool = False, **table: Any) -> Submission:
        model = bench.model()
        table_id = self.table(bench, model, **table)
        unneeded = {"rule": None, "dataset_id": None, "test_dataset_id": None}
        request = bench.request(model, **unneeded, targets=(target,), table_id=table_id, restamp=restamp)
        return bench.submit(request)

    def test_int8_goes_from_the_table_to_the_engine_and_is_measured_there(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(**NATIVE))
        assert bench.states(submission) == {
            "calibrate": "active",
            "record": "active",
            BUILD: "pending",
            VERIFY: "pending",
        }
        calibrate = bench.queued_of("calibrate")
        for word, value in (("toolchain", "tensorrt"), ("tensorrt", "8.5.3.1"), ("compute_capability", "sm_90")):
            assert calibrate.request[word] == value
        assert "toolchain" not in bench.queued_of("record").request
        bench.do_all()
        done = bench.get(submission)
        assert done.state == "done"
        (engine,) = done.result_ids("engine_id")
        build, verify = bench.job_of(submission, BUILD), bench.job_of(submission, VERIFY)
        assert build.request["table_id"] == done.result_ids("table_id")[0]
        assert build.request["quantization_id"] is None
        assert build.request["reuse"] == "exact"
        assert verify.request["engine_id"] == engine
        assert verify.request["compute_capability"] == "sm_90"
        again = bench.submit(bench.request(done.request.model_id, **NATIVE))
        assert again.hit

    def test_a_portable_table_is_calibrated_once_for_all_devices(self, bench: Bench) -> None:
        model, ada = bench.model(), gpu_target("sm_89")
        bench.submit(bench.request(model, **NATIVE))
        bench.do_all()
        other = bench.submit(bench.request(model, targets=(ada,), calibrate_on=ada))
        assert bench.states(other)["calibrate"] == "hit"
        assert bench.states(other)["record"] == "hit"
        assert bench.job_of(other, "build").request["reuse"] == "exact"  # the bench does not say where it calibrated

    def test_a_table_that_is_tied_to_its_device_is_calibrated_on_each(self, bench: Bench) -> None:
        model, ada = bench.model(), gpu_target("sm_89")
        rule = CalibrationRule.of(Calibrator.ENTROPY, batch_size=50, before_fusion=False)
        keys = [
            bench.job_of(
                bench.submit(bench.request(model, targets=(place,), calibrate_on=place, rule=rule)), "calibrate"
            ).key
            for place in (H200, ada)
        ]
        assert len(set(keys)) == 2

    def test_targets_of_several_kinds_share_the_calibration(self, bench: Bench) -> None:
        ahead = target("sm_86")
        submission = bench.submit(bench.request(targets=(H200, ahead), calibrate_on=H200))
        ran = Counter(job.kind for job in bench.do_all())
        assert ran == {"calibrate": 1, "quantize": 1, "verify": 1, "record": 1, "build": 2, "measure": 1}
        assert bench.get(submission).state == "done"

    def test_explicit_int8_is_quantised_for_a_gpu_too(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(**NATIVE, explicit=True))
        assert [job.kind for job in bench.do_all() if job.kind != "record"] == [
            "calibrate",
            "quantize",
            "build",
            "measure",
        ]
        build = bench.job_of(submission, BUILD).request
        assert build["quantization_id"] is not None
        assert "scales" not in build["fields"]

    @pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
    def test_other_precisions_are_built_of_the_model_itself_and_measured(self, bench: Bench, precision: str) -> None:
        plain = {"rule": None, "dataset_id": None, "precision": precision}
        submission = bench.submit(bench.request(targets=(H200,), **plain))
        assert Counter(job.kind for job in bench.do_all()) == {"record": 1, "build": 1, "measure": 1}
        assert bench.get(submission).state == "done"

    def test_an_engine_that_loses_too_much_is_kept_and_fails_the_gate(self, bench: Bench) -> None:
        strict = bench.submit(bench.request(**NATIVE, max_drop=0.01))
        bench.do_all(metrics=TWO_PERCENT)
        failed = bench.get(strict)
        assert bench.states(strict) == {"calibrate": "done", "record": "done", BUILD: "done", VERIFY: "failed"}
        assert failed.state == "failed"
        assert [step.error["code"] for step in failed.steps if step.error] == ["gate"]
        assert len(failed.result_ids("engine_id")) == len(failed.result_ids("verification_id")) == 1
        lenient = bench.submit(bench.request(failed.request.model_id, **NATIVE, max_drop=0.03))
        assert lenient.hit

    @pytest.mark.parametrize(
        ("table", "wanted", "reuse"),
        [
            ({}, H200, "exact"),
            ({}, gpu_target("sm_89"), "same table for another device"),
            ({"tensorrt": "8.5.1.7"}, H200, "re-stamped from 8.5.1.7"),
            ({"tensorrt": "8.5.2", "origin": TableOrigin.IMPORTED}, H200, "re-stamped from 8.5.2"),
            ({"tensorrt": "8.5.3", "origin": TableOrigin.IMPORTED, "rule": {}}, H200, "exact"),
            ({"tensorrt": None, "calibrator": "legacy", "rule": {}}, H200, "exact"),
            ({"origin": TableOrigin.REFERENCE}, gpu_target("sm_89", "10.3.0.26"), "made without a GPU"),
            ({"portable": False, "device": "sm_90"}, H200, "exact"),
        ],
    )
    def test_how_a_table_is_used_again_is_told(
        self, bench: Bench, table: dict[str, Any], wanted: Any, reuse: str
    ) -> None:
        submission = self.from_table(bench, wanted, **table)
        assert bench.job_of(submission, "build").request["reuse"] == reuse

    @pytest.mark.parametrize(
        ("table", "wanted", "words"),
        [
            ({}, gpu_target("sm_90", "8.6.1.6"), ["8.5.3.1", "8.6.1.6", "release line"]),
            ({"portable": False, "device": "sm_89"}, H200, ["after fusion", "sm_89"]),
        ],
    )
    def test_a_table_that_does_not_hold_there_is_refused_with_what_differs(
        self, bench: Bench, table: dict[str, Any], wanted: Any, words: list[str]
    ) -> None:
        submission = self.from_table(bench, wanted, **table)
        assert submission.state == "failed"
        (error,) = [step.error for step in submission.steps]
        assert error is not None
        assert error["code"] == "bad_table"
        assert all(word in error["cause"] for word in words)

    def test_a_table_of_another_release_line_is_taken_where_that_is_wanted(self, bench: Bench) -> None:
        submission = self.from_table(bench, gpu_target("sm_90", "8.6.1.6"), restamp=True)
        assert bench.job_of(submission, "build").request["reuse"] == "re-stamped from 8.5.3.1"

    def test_equal_scales_under_another_header_give_the_same_engine(self, bench: Bench) -> None:
        one = self.from_table(bench, scales_digest=digest_of_json("scales"))
        with bench.farm.database.write() as session:
            session.get_one(TableRow, one.request.table_id).tensorrt = "8.5.1.7"
        other = bench.submit(one.request)
        assert bench.job_of(one, BUILD).key == bench.job_of(other, BUILD).key

    def test_the_rule_behind_the_scales_is_in_the_key(self, bench: Bench) -> None:
        """The builder fills in what a table lacks by that rule."""
        one = self.from_table(bench)
        with bench.farm.database.write() as session:
            session.get_one(TableRow, one.request.table_id).calibrator = "entropy2"
        other = bench.submit(one.request)
        assert bench.job_of(one, BUILD).key != bench.job_of(other, BUILD).key

    def test_ranges_by_hand_need_neither_table_nor_data(self, bench: Bench) -> None:
        ranges: dict[str, Any] = {"build_options": {"dynamic_ranges": {"data": 2.0}}}
        request = bench.request(**{**NATIVE, "calibrate_on": None}, rule=None, dataset_id=None, **ranges)
        submission = bench.submit(request)
        build = bench.job_of(submission, BUILD).request
        assert (build["table_id"], build["options"]) == (None, {"dynamic_ranges": {"data": 2.0}})

    def test_what_would_be_done_can_be_explained(self, bench: Bench) -> None:
        request: SubmissionRequest = bench.request(**NATIVE)
        with bench.farm.database.read() as session:
            steps = {found.step: found for found in explain(session, request, bench.farm.complete)}
        assert steps["calibrate"].fields is not None
        assert steps["calibrate"].fields["engine"] == "tensorrt"
        assert steps[BUILD].key is None
        bench.submit(request)
        bench.do_all()
        with bench.farm.database.read() as session:
            found = {explained.step: explained for explained in explain(session, request, bench.farm.complete)}
        assert all(explained.hit for explained in found.values())
        assert {name: explained.reuse for name, explained in found.items() if explained.reuse} == {BUILD: "exact"}
