"""Results are kept only of builders that follow the rules which the job's key stands for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trtfarm import actions
from trtfarm.errors import BuilderCrashError
from trtfarm_builder.evaluation import comparison
from trtfarm_builder.evaluation import record as recorder
from trtfarm_builder.precision import convert as converter
from trtfarm_builder.quantization import quantize as quantizer
from trtfarm_builder.reference import rules as reference
from trtfarm_builder.sensitivity import search as searcher
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps import calibrate, convert, measure, observe, quantize, record, search, verify
from trtfarm_worker.steps.step import StepKind


def test_builder_and_keys_speak_of_the_same_rules() -> None:
    makers = (reference, quantizer, searcher, converter, comparison, recorder)
    assert tuple(maker.REVISION for maker in makers) == (
        actions.REFERENCE_REVISION,
        actions.QUANTIZER_REVISION,
        actions.SEARCH_REVISION,
        actions.CONVERTER_REVISION,
        actions.MEASURES_REVISION,
        actions.RECORDING_REVISION,
    )


@pytest.mark.parametrize(
    ("kind", "result", "words"),
    [
        (calibrate, {"revision": 99}, "the reference calibrator"),
        (observe, {"revision": 99}, "the reference calibrator"),
        (quantize, {"revision": 99}, "the quantizer"),
        (search, {"revision": 99}, "the quantizer"),
        (search, {"revision": actions.QUANTIZER_REVISION, "search": {"revision": 99}}, "the search"),
        (convert, {"revision": 99}, "the converter"),
        (verify, {"revision": 99}, "the evaluation"),
        (measure, {"revision": 99, "device": {"compute_capability": "sm_90"}}, "the evaluation"),
        (record, {"revision": 99}, "the recording of FP32"),
    ],
)
def test_what_was_made_by_other_rules_is_not_kept(
    kind: StepKind, result: dict[str, Any], words: str, tmp_path: Path
) -> None:
    rule = {"calibrator": "minmax", "batch_size": 1, "before_fusion": True, "quantile": None, "cutoff": None}
    request = {"rule": rule, "quantization_id": "qnt_1", "engine_id": "eng_1", "compute_capability": "sm_90"}
    task: Any = SimpleNamespace(job=SimpleNamespace(request=request))
    answer = BuilderAnswer(result=result, scratch=tmp_path, native_log=tmp_path, seconds=0, peak_memory_bytes=0)
    with pytest.raises(BuilderCrashError, match=f"{words} follows rules of revision 99") as caught:
        kind.keep(task, answer)
    assert caught.value.remedy == "install one release of trtfarm on this worker"
