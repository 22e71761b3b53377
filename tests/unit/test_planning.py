from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm.actions import ActionKind
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.candidates import candidate_rules
from trtfarm.errors import UsageError
from trtfarm.planning import plan, verified_precisions
from trtfarm.shards import Share, check_shards
from trtfarm.submission_request import SubmissionRequest
from trtfarm.targets import BuildTarget
from trtfarm_builder.reference.rules import rule_from

RULE = CalibrationRule.of(Calibrator.LEGACY, batch_size=50, quantile=0.999)
TARGETS = tuple(
    BuildTarget(compute_capability=capability, toolchain="tensorrt-rtx", tensorrt="1.7.1.116")
    for capability in ("sm_86", "sm_89")
)
CALIBRATED: dict[str, Any] = {"precision": "int8", "rule": RULE, "dataset_id": "dat_1"}
SEARCHED: dict[str, Any] = {"search": True, "max_drop": 0.01, "test_dataset_id": "dat_2"}
CANDIDATES = tuple(CalibrationRule.of(word, batch_size=50) for word in (Calibrator.MINMAX, Calibrator.MSE))
H200 = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="8.5.3.1")
TEN = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="10.13.3.9")
NEWEST = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="11.4.0.5")
ON_GPU: dict[str, Any] = {"targets": (H200,), "calibrate_on": H200}
COMPARED: dict[str, Any] = {"rule": None, "candidates": CANDIDATES, "test_dataset_id": "dat_2"}
PREQUANTIZED: dict[str, Any] = {"rule": None, "dataset_id": None, "explicit": True, "prequantized": True}
BUILDS = ["build sm_86 tensorrt-rtx-1.7.1.116", "build sm_89 tensorrt-rtx-1.7.1.116"]


def request(**values: Any) -> SubmissionRequest:
    return SubmissionRequest(**{"model_id": "mod_1", "targets": TARGETS, **CALIBRATED, **values})


def table_request(**values: Any) -> SubmissionRequest:
    return request(**{"rule": None, "dataset_id": None, "table_id": "tab_1", **values})


def needs(wanted: SubmissionRequest) -> dict[str, tuple[str, ...]]:
    return {step.name: step.needs for step in plan(wanted)}


def test_int8_calibrates_once_and_builds_for_every_target() -> None:
    assert needs(request()) == {"calibrate": (), "quantize": ("calibrate",), **dict.fromkeys(BUILDS, ("quantize",))}
    builds = [step for step in plan(request()) if step.kind is ActionKind.BUILD]
    assert tuple(step.target for step in builds) == TARGETS


def test_a_table_stands_for_the_calibration() -> None:
    assert needs(table_request()) == {"quantize": (), **dict.fromkeys(BUILDS, ("quantize",))}


def test_test_data_is_used_beside_the_builds() -> None:
    steps = needs(request(test_dataset_id="dat_2"))
    assert steps["verify"] == ("quantize",)
    assert {steps[name] for name in BUILDS} == {("quantize",)}


def test_a_search_quantises_in_its_own_way() -> None:
    steps = needs(request(**SEARCHED))
    assert steps == {
        "calibrate": (),
        "search": ("calibrate",),
        "verify": ("search",),
        **dict.fromkeys(BUILDS, ("search", "verify")),
    }
    assert needs(request(**SEARCHED, rule=None, table_id="tab_1"))["search"] == ()


def test_a_search_is_of_no_use_for_targets_that_take_a_table() -> None:
    native = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="8.5.3.1")
    with pytest.raises(UsageError, match="not every target"):
        request(**SEARCHED, targets=(native,))
    assert "search" in needs(request(**SEARCHED, targets=(native,), explicit=True))


def test_candidates_are_compared_and_the_rest_goes_on_with_the_best() -> None:
    wanted = request(**COMPARED, max_drop=0.01)
    assert needs(wanted) == {
        "calibrate minmax": (),
        "quantize minmax": ("calibrate minmax",),
        "verify minmax": ("quantize minmax",),
        "calibrate mse": (),
        "quantize mse": ("calibrate mse",),
        "verify mse": ("quantize mse",),
        "choose": ("calibrate minmax", "verify minmax", "calibrate mse", "verify mse"),
        "quantize": ("choose",),
        "verify": ("quantize",),
        **dict.fromkeys(BUILDS, ("quantize", "verify")),
    }
    assert {step.name: step.rule for step in plan(wanted) if step.rule} == {
        f"calibrate {rule.calibrator}": rule for rule in CANDIDATES
    }
    assert verified_precisions(wanted) == {"verify": "int8"}


def test_shards_are_observed_before_the_table_is_made_of_them() -> None:
    """The first one sees by itself where histograms begin; the others begin there too."""
    first, others = "observe histogram 1/3", ("observe histogram 2/3", "observe histogram 3/3")
    steps = needs(request(shards=3))
    assert steps == {
        first: (),
        "observe bases": (),
        **dict.fromkeys(others, ("observe bases",)),
        "calibrate": (first, *others),
        "quantize": ("calibrate",),
        **dict.fromkeys(BUILDS, ("quantize",)),
    }
    minmax = needs(request(rule=CalibrationRule.of(Calibrator.MINMAX, batch_size=50), shards=2))
    assert list(minmax)[:3] == ["observe range 1/2", "observe range 2/2", "calibrate"]
    assert needs(request(shards=1)) == needs(request())


def test_candidates_that_go_by_the_same_statistics_share_them() -> None:
    wanted = request(**COMPARED | {"candidates": candidate_rules(batch_size=50, quantile=None, native=False)}, shards=2)
    steps = {step.name: step for step in plan(wanted)}
    served = {name: step.serves for name, step in steps.items() if step.kind is ActionKind.OBSERVE}
    histograms = ("calibrate entropy2", "calibrate percentile", "calibrate mse")
    assert served == {
        "observe range 1/2": ("calibrate minmax",),
        "observe range 2/2": ("calibrate minmax",),
        "observe histogram 1/2": histograms,
        "observe bases": histograms,
        "observe histogram 2/2": histograms,
    }
    assert steps["calibrate mse"].needs == ("observe histogram 1/2", "observe histogram 2/2")


@given(shards=st.integers(1, 40), batches=st.integers(1, 40), batch_size=st.integers(1, 7), rest=st.integers(0, 6))
def test_shards_cover_all_full_batches_and_cut_none(shards: int, batches: int, batch_size: int, rest: int) -> None:
    samples = batches * batch_size + rest % batch_size
    if shards > batches:
        with pytest.raises(UsageError, match="cannot be cut into") as refused:
            check_shards(shards, samples, batch_size)
        assert str(refused.value.remedy).startswith(f"use --shards {batches} at" if batches > 1 else "leave --shards")
        assert ("--batch-size" in str(refused.value.remedy)) == (batch_size > 1)
        return
    check_shards(shards, samples, batch_size)
    shares = [Share(statistic="range", number=number, of=shards) for number in range(1, shards + 1)]
    cuts = [share.samples(samples, batch_size) for share in shares]
    assert (cuts[0][0], cuts[-1][1]) == (0, batches * batch_size)
    assert all(one[1] == other[0] for one, other in pairwise(cuts))
    sizes = {(stop - start) // batch_size for start, stop in cuts}
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) <= 1
    assert all(start % batch_size == stop % batch_size == 0 for start, stop in cuts)


def test_shards_that_nobody_could_calibrate_are_refused() -> None:
    native = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="8.5.3.1")
    with pytest.raises(UsageError, match="TensorRT calibrates in one piece") as refused:
        request(targets=(native,), calibrate_on=native, shards=2)
    assert "--calibrate-with reference" in str(refused.value.remedy)
    for values in ({"shards": 0}, {"shards": 65}):
        with pytest.raises(UsageError, match="shards are not possible"):
            request(**values)
    with pytest.raises(UsageError, match="nothing is calibrated"):
        table_request(shards=2)


def test_the_builder_observes_what_the_farm_says_of_each_calibrator() -> None:
    for calibrator in Calibrator:
        assert rule_from(
            CalibrationRule.of(calibrator, batch_size=1).as_dict() | {"before_fusion": True}
        ).statistic == (calibrator.statistic)


def test_targets_that_take_a_table_take_the_best() -> None:
    native = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="8.5.3.1")
    wanted = request(**COMPARED, targets=(native,))
    assert needs(wanted)[f"build {native}"] == ("choose",)
    assert request(**COMPARED, targets=(native,), calibrate_on=None).in_one_go() is None


def test_with_a_gate_the_builds_wait_for_the_verification() -> None:
    steps = needs(request(test_dataset_id="dat_2", max_drop=0.01))
    assert {steps[name] for name in BUILDS} == {("quantize", "verify")}


def test_fp32_only_builds() -> None:
    wanted = SubmissionRequest(model_id="mod_1", precision="fp32", targets=TARGETS)
    assert needs(wanted) == dict.fromkeys(BUILDS, ())


def test_float16_is_converted_after_quantisation_and_that_is_verified_and_built() -> None:
    steps = needs(request(precision="int8+fp16", test_dataset_id="dat_2", max_drop=0.01))
    assert steps == {
        "calibrate": (),
        "quantize": ("calibrate",),
        "convert": ("quantize",),
        "verify": ("convert",),
        **dict.fromkeys(BUILDS, ("convert", "verify")),
    }


def test_a_target_without_float32_gets_float16_beside_int8_and_what_each_target_gets_is_verified() -> None:
    wanted = request(rest_in_float16=(str(TARGETS[0]),), test_dataset_id="dat_2", max_drop=0.01)
    assert needs(wanted) == {
        "calibrate": (),
        "quantize": ("calibrate",),
        "convert": ("quantize",),
        "verify": ("quantize",),
        "verify float16": ("convert",),
        BUILDS[0]: ("convert", "verify float16"),
        BUILDS[1]: ("quantize", "verify"),
    }
    assert [wanted.precision_for(target) for target in TARGETS] == ["int8+fp16", "int8"]
    assert verified_precisions(wanted) == {"verify": "int8", "verify float16": "int8+fp16"}
    assert SubmissionRequest.from_dict(json.loads(json.dumps(wanted.as_dict()))) == wanted
    alone = replace(wanted, targets=TARGETS[:1])
    assert needs(alone)["verify"] == ("convert",)
    assert verified_precisions(alone) == {"verify": "int8+fp16"}


def test_float16_alone_needs_no_calibration_and_can_be_verified() -> None:
    wanted = SubmissionRequest(model_id="mod_1", precision="fp16", targets=TARGETS, test_dataset_id="dat_2")
    assert needs(wanted) == {"convert": (), "verify": ("convert",), **dict.fromkeys(BUILDS, ("convert",))}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"precision": "fp4"}, "no precision 'fp4'"),
        ({"targets": ()}, "no target"),
        ({"targets": (*TARGETS, TARGETS[0])}, "named twice"),
        ({"rule": None, "dataset_id": None}, "needs scales"),
        ({"rule": None}, "needs scales"),
        ({"dataset_id": None}, "needs scales"),
        ({"table_id": "tab_1"}, "needs scales, from one place"),
        ({"max_drop": 0.01}, "not used for calibration"),
        ({"max_drop": -0.01, "test_dataset_id": "dat_2"}, "not possible"),
        ({"max_drop": math.nan, "test_dataset_id": "dat_2"}, "not possible"),
        ({"search": True, "test_dataset_id": "dat_2"}, "how much may be lost"),
        ({**COMPARED, "test_dataset_id": None}, "compared on data"),
        ({**COMPARED, "rule": RULE}, "needs scales, from one place"),
        ({**COMPARED, "dataset_id": None}, "needs scales"),
        ({**COMPARED, "calibrate_on": TARGETS[0]}, "TensorRT has no calibrator mse"),
        ({**SEARCHED, "dataset_id": None, "rule": None, "table_id": "tab_1"}, "needs calibration data"),
        ({**SEARCHED, "precision": "fp16", "rule": None, "dataset_id": None}, "gets? no Q/DQ nodes"),
        ({"prequantized": True, "explicit": True}, "no use for calibration data, a calibrator"),
        ({**PREQUANTIZED, "table_id": "tab_1"}, "no use for a table"),
        ({**PREQUANTIZED, "quantizer_options": {"exclude_nodes": ["/c1"]}}, "no use for nodes to leave out"),
        ({**PREQUANTIZED, "build_options": {"dynamic_ranges": {"x": 1.0}}}, "no use for ranges by hand"),
        ({**PREQUANTIZED, "explicit": False, "precision": "bf16", "targets": (H200,)}, "is built in explicit INT8"),
        ({**ON_GPU, "build_options": {"strongly_typed": True}}, "TensorRT 8.5.3.1 has no strongly typed networks"),
        ({"build_options": {"strongly_typed": True}}, "tensorrt-rtx has no builder option strongly_typed"),
        ({**PREQUANTIZED, "explicit": False}, "is built in explicit INT8"),
        ({**PREQUANTIZED, "explicit": False, "precision": "fp16"}, "is built in explicit INT8"),
        ({"precision": "int8+fp16", "rule": None}, "int8\\+fp16 needs scales"),
        ({"precision": "fp16"}, "fp16 has no use for calibration data, a calibrator"),
        ({"precision": "fp32"}, "fp32 has no use for calibration data, a calibrator"),
        ({"precision": "fp32", "rule": None, "dataset_id": None, "table_id": "tab_1"}, "fp32 has no use for a table"),
    ],
)
def test_contradictions_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        request(**values)
    assert caught.value.remedy


def test_tensorrt_before_11_takes_the_table_and_is_measured_on_its_gpu() -> None:
    measured = {f"verify {H200}": (f"build {H200}", "record")}
    assert needs(request(**ON_GPU)) == {"calibrate": (), f"build {H200}": ("calibrate",)}
    built = {"calibrate": (), f"build {H200}": ("calibrate",), "record": ()}
    assert needs(request(**ON_GPU, test_dataset_id="dat_2", max_drop=0.01)) == built | measured
    both = needs(request(**ON_GPU, precision="int8+fp16", test_dataset_id="dat_2"))
    assert both == built | measured  # float16 is a flag there


def test_explicit_int8_is_quantised_but_never_converted_for_it() -> None:
    steps = needs(request(**ON_GPU, precision="int8+fp16", explicit=True))
    assert steps == {"calibrate": (), "quantize": ("calibrate",), f"build {H200}": ("quantize",)}


def test_a_model_with_q_dq_nodes_is_built_as_it_is_and_measured_where_it_can_be() -> None:
    steps = needs(request(**PREQUANTIZED, targets=(H200, TARGETS[0]), test_dataset_id="dat_2"))
    assert steps == {
        f"build {H200}": (),
        BUILDS[0]: (),
        "record": (),
        f"verify {H200}": (f"build {H200}", "record"),
    }


def test_strongly_typed_networks_take_q_dq_nodes_and_float16_from_the_model() -> None:
    wanted = request(targets=(TEN,), precision="int8+fp16", build_options={"strongly_typed": True})
    assert needs(wanted) == {
        "calibrate": (),
        "quantize": ("calibrate",),
        "convert": ("quantize",),
        f"build {TEN}": ("convert",),
    }
    assert wanted.in_one_go() is None
    assert needs(replace(wanted, build_options={})) == {"calibrate": (), f"build {TEN}": ("calibrate",)}


def test_fp8_may_be_in_q_dq_nodes() -> None:
    wanted = request(**{**PREQUANTIZED, "explicit": False}, precision="fp8", targets=(TEN,))
    assert needs(wanted) == {f"build {TEN}": ()}
    assert needs(replace(wanted, build_options={"strongly_typed": True})) == {f"build {TEN}": ()}


def test_a_model_with_q_dq_nodes_is_converted_where_float16_is_wanted_beside_them() -> None:
    steps = needs(request(**PREQUANTIZED, precision="int8+fp16", test_dataset_id="dat_2"))
    assert steps == {"convert": (), "verify": ("convert",), **dict.fromkeys(BUILDS, ("convert",))}


def test_from_11_on_tensorrt_runs_what_the_onnx_says_and_is_still_measured() -> None:
    steps = needs(request(targets=(NEWEST,), precision="int8+fp16", test_dataset_id="dat_2"))
    assert steps[f"build {NEWEST}"] == ("convert",)
    assert steps[f"verify {NEWEST}"] == (f"build {NEWEST}", "record")
    assert "verify" not in steps


def test_kinds_of_targets_are_mixed_and_each_has_its_own_gate() -> None:
    steps = needs(request(targets=(H200, TARGETS[0]), test_dataset_id="dat_2", max_drop=0.01))
    assert steps == {
        "calibrate": (),
        "quantize": ("calibrate",),
        "verify": ("quantize",),
        f"build {H200}": ("calibrate",),
        BUILDS[0]: ("quantize", "verify"),
        "record": (),
        f"verify {H200}": (f"build {H200}", "record"),
    }


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "fp8"])
def test_what_is_a_flag_there_builds_from_the_model_itself(precision: str) -> None:
    wanted = SubmissionRequest(model_id="mod_1", precision=precision, targets=(H200,), test_dataset_id="dat_2")
    assert needs(wanted)[f"build {H200}"] == ()


def test_calibration_goes_on_to_the_only_engine() -> None:
    assert request(**ON_GPU).in_one_go() == H200
    assert request(**ON_GPU, build_options={"workspace_bytes": 1}).in_one_go() == H200


@pytest.mark.parametrize(
    "values",
    [
        {"calibrate_on": None},
        {"targets": (H200, TARGETS[0])},
        {"explicit": True},
        {"precision": "int8+fp16"},
        {"build_options": {"clear_flags": ["TF32"]}},
        {"build_options": {"dynamic_ranges": {"data": 1.0}}},
    ],
)
def test_and_not_where_another_step_waits_or_the_numbers_would_change(values: dict[str, Any]) -> None:
    assert request(**{**ON_GPU, **values}).in_one_go() is None


AFTER = CalibrationRule.of(Calibrator.ENTROPY, batch_size=50, before_fusion=False)
MSE = CalibrationRule.of(Calibrator.MSE, batch_size=50)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rule": AFTER}, "only TensorRT itself calibrates after fusion"),
        ({"rule": MSE, **ON_GPU}, "TensorRT has no calibrator mse"),
        (
            {"rule": AFTER, "calibrate_on": H200, "targets": (H200, replace(H200, compute_capability="sm_89"))},
            "for the GPU",
        ),
        ({"precision": "bf16", "rule": None, "dataset_id": None}, "bf16 is something that TensorRT before 11"),
        ({"precision": "fp16", "rule": None, "dataset_id": None, "explicit": True}, "fp16 has no Q/DQ nodes"),
        ({"build_options": {"refit": True}}, "tensorrt-rtx has no builder option refit"),
        ({"build_options": {"dla_core": 0}, "targets": (H200,)}, "a table of legacy is none for a DLA"),
        (
            {
                "rule": None,
                "dataset_id": None,
                "build_options": {"dynamic_ranges": {"x": 1.0}},
                "targets": (H200,),
                "explicit": True,
            },
            "needs scales",
        ),
    ],
)
def test_what_no_gpu_can_do_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        request(**values)
    assert caught.value.remedy


@given(
    st.sampled_from([{}, {"rule": None, "dataset_id": None, "table_id": "tab_1"}, COMPARED]),
    st.sampled_from([{}, {"test_dataset_id": "dat_2"}, {"test_dataset_id": "dat_2", "max_drop": 0.01}, SEARCHED]),
    st.sampled_from(["int8", "int8+fp16"]),
    st.dictionaries(st.text(max_size=5), st.fixed_dictionaries({"min": st.lists(st.integers(0, 9))}), max_size=2),
)
def test_every_plan_can_be_followed_and_survives_being_data(
    scales: dict[str, Any], check: dict[str, Any], precision: str, profiles: dict[str, Any]
) -> None:
    if "search" in check:
        scales = {**scales, "dataset_id": "dat_1"}
    wanted = request(
        **{**scales, **check}, precision=precision, profiles=profiles, build_options={"workspace_bytes": 1}
    )
    assert SubmissionRequest.from_dict(json.loads(json.dumps(wanted.as_dict()))) == wanted
    steps = plan(wanted)
    names = [step.name for step in steps]
    assert len(set(names)) == len(names)
    for position, step in enumerate(steps):
        assert set(step.needs) <= set(names[:position])
