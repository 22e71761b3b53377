"""What a submission can ask its engines to compute in, and what is done to a model for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trtfarm.build_options import STRONGLY_TYPED
from trtfarm.errors import UsageError
from trtfarm.targets import BuildTarget


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What a precision takes: scales for INT8, and float16 where there was float32.

    Where the target is strongly typed, the model is rewritten for it. `by_flag` is a precision that no rewriting gives,
    `by_nodes` one that Q/DQ nodes say which a model comes with.
    """

    quantized: bool = False
    float16: bool = False
    by_flag: bool = False
    by_nodes: bool = False


#: Precisions that a submission can ask for. INT8 means the layers that can be; the word behind it is for the rest.
PRECISIONS: Mapping[str, Precision] = {
    "int8": Precision(quantized=True, by_nodes=True),
    "int8+fp16": Precision(quantized=True, float16=True, by_nodes=True),
    "fp16": Precision(float16=True),
    "fp32": Precision(),
    "bf16": Precision(by_flag=True),
    "fp8": Precision(by_flag=True, by_nodes=True),
}
#: What stands in for a precision where a target has no float32 for what stays beside INT8.
REST_IN_FLOAT16: Mapping[str, str] = {"int8": "int8+fp16"}


def check_precision(word: str) -> None:
    """Raises UsageError for a word that is none."""
    if word not in PRECISIONS:
        raise UsageError(f"no precision {word!r}", remedy="use one of: " + ", ".join(PRECISIONS))


def strongly_typed(target: BuildTarget, options: Mapping[str, Any]) -> bool:
    """Whether the types in the ONNX decide, because the target has no other way or a builder option asks for it."""
    return target.strongly_typed or bool(options.get(STRONGLY_TYPED))


def implicit(precision: str, target: BuildTarget, options: Mapping[str, Any], *, explicit: bool) -> bool:
    """Whether a target takes its INT8 scales from a table; `explicit` asks for Q/DQ nodes instead."""
    return PRECISIONS[precision].quantized and not strongly_typed(target, options) and not explicit
