"""What a user asked for, and the options in it that nothing would be done with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtfarm.build_options import DYNAMIC_RANGES
from trtfarm.calibrators import AFTER_FUSION_BY_DEFAULT, CalibrationRule, Calibrator
from trtfarm.candidates import COMPARED
from trtfarm.compute_capability import ComputeCapability
from trtfarm.contradictions import check_typing
from trtfarm.errors import UsageError
from trtfarm.models.model import Model
from trtfarm.precisions import PRECISIONS, implicit, strongly_typed
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.sites import CalibrateWith


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a user asked for, in the user's words: paths, names, and None where nothing was said.

    `compare` is `--calibrator auto`: several are tried, and the best is kept. `prequantized` is what the model says
    when it was read: it has Q/DQ nodes, so nothing is calibrated and it is built as it is.
    """

    model: Path
    data: Sequence[str] = ()
    test_data: Sequence[str] = ()
    labels: str | None = None
    table: str | None = None
    calibrator: Calibrator | None = None
    compare: bool = False
    batch_size: int | None = None
    quantile: float | None = None
    cutoff: float | None = None
    precision: str = "int8"
    targets: Sequence[ComputeCapability] = ()
    tensorrt: TensorRTVersion | None = None
    shapes: Sequence[str] = ()
    max_drop: float | None = None
    exclude_nodes: Sequence[str] = ()
    exclude_op_types: Sequence[str] = ()
    float32_nodes: Sequence[str] = ()
    float32_op_types: Sequence[str] = ()
    calibrate_with: CalibrateWith | None = None
    after_fusion: bool = False
    explicit: bool = False
    prequantized: bool = False
    search: bool = False
    restamp: bool = False
    timing_cache: bool = True
    priority: int = 0
    shards: int = 1
    require_labels: tuple[str, ...] = ()
    require_gpu_memory: int | None = None
    build_options: Mapping[str, Any] = field(default_factory=dict)

    def quantizer_options(self) -> dict[str, list[str]]:
        return {"exclude_nodes": list(self.exclude_nodes), "exclude_op_types": list(self.exclude_op_types)}

    def converter_options(self) -> dict[str, list[str]]:
        return {"exclude_nodes": list(self.float32_nodes), "exclude_op_types": list(self.float32_op_types)}


def model_of(order: Order) -> Model:
    """The model of an order, read once its options were found to make sense. Raises UsageError, ModelError."""
    check_options(order)
    return Model.read(order.model)


def check_options(order: Order) -> None:
    """Raises UsageError for options that nothing would be done with: whoever gives one expects otherwise."""
    calibration = {
        "--batch-size": order.batch_size,
        "--quantile": order.quantile,
        "--cutoff": order.cutoff,
        "--calibrate-with": order.calibrate_with,
        "--after-fusion": order.after_fusion or None,
        "--shards": order.shards if order.shards > 1 else None,
    }
    if order.search and order.max_drop is None:
        raise UsageError("--search needs to know how much may be lost", remedy="add --max-drop 1%")
    precision = PRECISIONS[order.precision]
    if not precision.float16:
        kept = {"--keep-fp32": order.float32_nodes, "--keep-fp32-op": order.float32_op_types}
        refuse(kept, f"{order.precision} has no float16")
    if not precision.quantized:
        int8 = {"--calibrator": order.calibrator or order.compare or None, "--data": order.data, "--table": order.table}
        quantizer = {
            **_exclusions(order),
            "--explicit": order.explicit or None,
            "--search": order.search or None,
        }
        refuse({**int8, **calibration, **quantizer}, f"{order.precision} is not quantised")
    elif order.table:
        refuse({**calibration, "--calibrator auto": order.compare or None}, "with --table nothing is calibrated")
    elif order.compare:
        legacy = {"--cutoff": order.cutoff, "--after-fusion": order.after_fusion or None}
        refuse(legacy, f"--calibrator auto compares {', '.join(COMPARED)}, before fusion")
        CalibrationRule.of(Calibrator.PERCENTILE, batch_size=order.batch_size or 1, quantile=order.quantile)
    else:
        rule = order.calibrator or Calibrator.MINMAX
        CalibrationRule.of(rule, batch_size=order.batch_size or 1, quantile=order.quantile, cutoff=order.cutoff)
        if order.after_fusion and rule not in AFTER_FUSION_BY_DEFAULT:
            refuse({"--after-fusion": True}, f"{rule} is always calibrated before fusion")


def check_for_targets(order: Order, targets: Sequence[BuildTarget]) -> None:
    """Raises UsageError for options that none of the targets has a use for, or that one of them lacks."""
    check_typing(order.build_options, targets)
    precision = PRECISIONS[order.precision]
    if not is_measured(order, targets):
        verification = {"--test-data": order.test_data, "--labels": order.labels, "--max-drop": order.max_drop}
        what = "the model as it is" if order.prequantized else order.precision
        refuse(verification, f"{what} is not measured")
    if precision.quantized and len(takers(order, targets)) == len(targets):
        refuse(_exclusions(order), "INT8 from a table has no Q/DQ nodes", "add --explicit, or use layer_precisions")
    if precision.float16 and not any(strongly_typed(target, order.build_options) for target in targets):
        kept = {"--keep-fp32": order.float32_nodes, "--keep-fp32-op": order.float32_op_types}
        why = "TensorRT before 11 chooses where FP16 is used"
        refuse(kept, why, "use --option layer_precisions and precision_constraints")


def _exclusions(order: Order) -> dict[str, object]:
    return {"--exclude": order.exclude_nodes, "--exclude-op": order.exclude_op_types}


def refuse(options: Mapping[str, object], why: str, remedy: str = "leave it out") -> None:
    given = [name for name, value in options.items() if value not in (None, (), [])]
    if given:
        raise UsageError(f"{', '.join(given)} cannot be used here", cause=why, remedy=remedy)


def takers(order: Order, targets: Sequence[BuildTarget]) -> list[BuildTarget]:
    """The targets that are handed a table; what a search leaves out, only Q/DQ nodes can tell."""
    explicit = order.explicit or order.search
    return [target for target in targets if implicit(order.precision, target, order.build_options, explicit=explicit)]


def by_hand(order: Order, targets: Sequence[BuildTarget]) -> bool:
    """Whether ranges are given by hand and nothing else that scales could come from."""
    named = order.data or order.table or order.calibrator or order.compare
    return bool(order.build_options.get(DYNAMIC_RANGES)) and not named and len(takers(order, targets)) == len(targets)


def is_measured(order: Order, targets: Sequence[BuildTarget]) -> bool:
    """Whether anything of the order is compared with FP32: what is not rewritten, only where it can be run."""
    precision = PRECISIONS[order.precision]
    quantized = precision.quantized and not order.prequantized
    return quantized or precision.float16 or any(target.on_gpu for target in targets)
