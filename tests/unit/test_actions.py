"""Keys: whatever changes a result changes its key, and nothing else does."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm import actions
from trtfarm.actions import Action, ActionKind
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.digests import digest_of_json

DIGEST, OTHER = digest_of_json("one"), digest_of_json("another")
RULE: dict[str, Any] = {"calibrator": Calibrator.LEGACY, "batch_size": 50, "quantile": 0.99, "cutoff": 0.5}

#: For each action: how it is made, its arguments, and another value for each of them.
CASES: dict[ActionKind, tuple[Callable[..., Action], dict[str, Any], dict[str, Any]]] = {
    ActionKind.OBSERVE: (
        actions.observe,
        {
            "model": DIGEST,
            "dataset": DIGEST,
            "statistic": "histogram",
            "batch_size": 50,
            "samples": (0, 100),
            "bases": None,
        },
        {
            "model": OTHER,
            "dataset": OTHER,
            "statistic": "range",
            "batch_size": 49,
            "samples": (100, 200),
            "bases": DIGEST,
        },
    ),
    ActionKind.CALIBRATE: (
        lambda model, dataset, **rule: actions.calibrate(
            model=model, dataset=dataset, rule=CalibrationRule.of(rule.pop("calibrator"), **rule)
        ),
        {"model": DIGEST, "dataset": DIGEST, "before_fusion": True, **RULE},
        {
            "model": OTHER,
            "dataset": OTHER,
            "before_fusion": False,
            "batch_size": 49,
            "quantile": 0.98,
            "cutoff": 0.4,
        },
    ),
    ActionKind.QUANTIZE: (
        actions.quantize,
        {"model": DIGEST, "scales": DIGEST, "options": {}},
        {"model": OTHER, "scales": OTHER, "options": {"exclude_nodes": ["c1"]}},
    ),
    ActionKind.SEARCH: (
        actions.search,
        {"model": DIGEST, "scales": DIGEST, "options": {}, "dataset": DIGEST, "allowed": 0.01, "measure": "cosine"},
        {
            "model": OTHER,
            "scales": OTHER,
            "options": {"exclude_nodes": ["c1"]},
            "dataset": OTHER,
            "allowed": 0.02,
            "measure": "top1",
        },
    ),
    ActionKind.CONVERT: (
        actions.convert,
        {"onnx": DIGEST, "weights": None, "options": {}},
        {"onnx": OTHER, "weights": OTHER, "options": {"exclude_nodes": ["c1"]}},
    ),
    ActionKind.VERIFY: (
        actions.verify,
        {"model": DIGEST, "quantized": DIGEST, "dataset": DIGEST},
        {"model": OTHER, "quantized": OTHER, "dataset": OTHER},
    ),
    ActionKind.RECORD: (
        actions.record,
        {"model": DIGEST, "dataset": DIGEST},
        {"model": OTHER, "dataset": OTHER},
    ),
    ActionKind.CHOOSE: (actions.choose, {"verifications": [DIGEST, OTHER]}, {"verifications": [OTHER, DIGEST]}),
    ActionKind.MEASURE: (
        actions.measure,
        {
            "model": DIGEST,
            "dataset": DIGEST,
            "engine": DIGEST,
            "tensorrt": "8.5.3.1",
            "compute_capability": "sm_90",
            "profile": None,
        },
        {
            "model": OTHER,
            "dataset": OTHER,
            "engine": OTHER,
            "tensorrt": "8.5.2.2",
            "compute_capability": "sm_89",
            "profile": 0,
        },
    ),
    ActionKind.BUILD: (
        actions.build,
        {
            "onnx": DIGEST,
            "weights": None,
            "scales": DIGEST,
            "algorithm": "MinMaxCalibration",
            "precision": "int8",
            "toolchain": "tensorrt-rtx",
            "tensorrt": "1.7.1.116",
            "compute_capability": "sm_86",
            "profiles": {"x": {"min": [1, 3], "opt": [1, 3], "max": [8, 3]}},
            "options": {},
        },
        {
            "onnx": OTHER,
            "weights": OTHER,
            "scales": OTHER,
            "algorithm": "EntropyCalibration2",
            "precision": "fp32",
            "toolchain": "tensorrt",
            "tensorrt": "1.7.1.117",
            "compute_capability": "sm_89",
            "profiles": {"x": {"min": [1, 3], "opt": [1, 3], "max": [9, 3]}},
            "options": {"workspace_bytes": 1},
        },
    ),
}


@pytest.mark.parametrize("kind", ActionKind)
def test_each_field_changes_the_key(kind: ActionKind) -> None:
    make, arguments, others = CASES[kind]
    variants = [make(**arguments), *(make(**{**arguments, name: other}) for name, other in others.items())]
    assert {variant.kind for variant in variants} == {kind}
    for one, other in itertools.combinations(variants, 2):
        assert one.key != other.key


def test_the_calibrator_changes_the_key() -> None:
    keys = {
        actions.calibrate(model=DIGEST, dataset=DIGEST, rule=CalibrationRule.of(calibrator, batch_size=8)).key
        for calibrator in Calibrator
    }
    assert len(keys) == len(Calibrator)


def test_the_device_is_in_the_key_of_a_table_that_is_tied_to_one() -> None:
    def key(*, before_fusion: bool, compute_capability: str) -> str:
        rule = CalibrationRule.of(Calibrator.ENTROPY, batch_size=8, before_fusion=before_fusion)
        place = {"tensorrt": "8.5.3.1", "compute_capability": compute_capability}
        return actions.calibrate(model=DIGEST, dataset=DIGEST, rule=rule, **place).key

    portable = {key(before_fusion=True, compute_capability=device) for device in ("sm_89", "sm_90")}
    tied = {key(before_fusion=False, compute_capability=device) for device in ("sm_89", "sm_90")}
    assert (len(portable), len(tied)) == (1, 2)


def test_who_calibrates_is_in_the_key() -> None:
    rule = CalibrationRule.of(Calibrator.MINMAX, batch_size=8)
    place = {"compute_capability": "sm_90"}
    keys = {
        actions.calibrate(model=DIGEST, dataset=DIGEST, rule=rule).key,
        *(
            actions.calibrate(model=DIGEST, dataset=DIGEST, rule=rule, tensorrt=version, **place).key
            for version in ("8.5.3.1", "8.5.2.2")
        ),
    }
    assert len(keys) == 3


def test_a_build_that_takes_no_table_has_no_field_for_one() -> None:
    make, arguments, _ = CASES[ActionKind.BUILD]
    fields = make(**{**arguments, "scales": None, "algorithm": None}).fields
    assert not {"scales", "algorithm"} & set(fields)


#: What farms have stored these kinds of results under since before they had revisions.
FIRST: dict[ActionKind, dict[str, Any]] = {
    ActionKind.VERIFY: {"model": DIGEST, "quantized": DIGEST, "dataset": DIGEST, "engine": "onnxruntime"},
    ActionKind.RECORD: {"model": DIGEST, "dataset": DIGEST, "engine": "onnxruntime"},
    ActionKind.MEASURE: {
        "model": DIGEST,
        "dataset": DIGEST,
        "engine": DIGEST,
        "tensorrt": "8.5.3.1",
        "compute_capability": "sm_90",
    },
}


@pytest.mark.parametrize(
    ("revision", "changed"),
    [
        ("MEASURES_REVISION", {ActionKind.VERIFY, ActionKind.MEASURE}),
        ("RECORDING_REVISION", {ActionKind.RECORD, ActionKind.MEASURE}),
    ],
)
def test_other_measures_are_not_taken_for_those_that_are_stored(
    revision: str, changed: set[ActionKind], monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys() -> dict[ActionKind, str]:
        return {kind: make(**arguments).key for kind, (make, arguments, _) in CASES.items()}

    before = keys()
    assert {kind: before[kind] for kind in FIRST} == {kind: Action(kind, fields).key for kind, fields in FIRST.items()}
    monkeypatch.setattr(actions, revision, 2)
    assert {kind for kind, key in keys().items() if key != before[kind]} == changed


def test_actions_of_other_kinds_have_other_keys() -> None:
    fields = {"model": DIGEST}
    assert len({Action(kind, fields).key for kind in ActionKind}) == len(ActionKind)


def test_the_order_of_options_does_not_change_the_key() -> None:
    one, other = {"a": 1, "b": [1, 2]}, {"b": (1, 2), "a": 1}
    make = actions.quantize
    assert make(model=DIGEST, scales=DIGEST, options=one).key == make(model=DIGEST, scales=DIGEST, options=other).key


shares = st.one_of(st.none(), st.just(1), st.floats(0, 1, exclude_min=True))
rules = st.builds(
    lambda calibrator, batch_size, quantile, cutoff, before_fusion: CalibrationRule.of(
        calibrator,
        batch_size=batch_size,
        before_fusion=before_fusion,
        quantile=quantile if calibrator in {Calibrator.LEGACY, Calibrator.PERCENTILE} else None,
        cutoff=cutoff if calibrator is Calibrator.LEGACY else None,
    ),
    st.sampled_from(Calibrator),
    st.integers(1, 3),
    shares,
    shares,
    st.booleans(),
)


@given(rules, rules)
def test_keys_are_equal_where_rules_are(one: CalibrationRule, other: CalibrationRule) -> None:
    keys = [actions.calibrate(model=DIGEST, dataset=DIGEST, rule=rule).key for rule in (one, other)]
    assert (keys[0] == keys[1]) is (one == other)


@given(rules)
def test_a_key_can_be_computed_from_what_a_job_stores(rule: CalibrationRule) -> None:
    """`explain` does so: fields that went through JSON give the same key."""
    action = actions.calibrate(model=DIGEST, dataset=DIGEST, rule=rule)
    assert Action(action.kind, json.loads(json.dumps(action.fields))).key == action.key
