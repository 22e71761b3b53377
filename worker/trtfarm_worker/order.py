"""What a user asked for, and what that amounts to for the targets that it is built for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtfarm.build_options import DYNAMIC_RANGES
from trtfarm.calibrators import Calibrator
from trtfarm.compute_capability import ComputeCapability
from trtfarm.precisions import PRECISIONS, implicit
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
