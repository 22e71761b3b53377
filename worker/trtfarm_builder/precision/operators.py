"""What float16 means for ONNX operators: which stay in float32, and which only hand on what they get."""

from typing import Dict, FrozenSet

_SUMS = "it adds up many elements, which float16 may not hold"
_RANGE = "its results may be beyond what float16 holds"
_ANGLES = "it takes angles, and float16 has too few digits for large ones"

#: Operators that stay in float32, and why. Matrix products, convolutions, averages in pooling and Softmax are not here:
#: TensorRT sums them up in float32 and rounds the result only. Neither is LayerNormalization, whose `stash_type` says
#: so in ONNX itself; where exporters have written it out, it is a chain of what is here.
KEPT: Dict[str, str] = {
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceProd"), _SUMS),
    **dict.fromkeys(("ReduceLogSum", "ReduceLogSumExp", "CumSum", "LRN", "LpPool", "GlobalLpPool"), _SUMS),
    **dict.fromkeys(("InstanceNormalization", "LpNormalization", "MeanVarianceNormalization"), _SUMS),
    **dict.fromkeys(("Pow", "Exp", "Log", "Sqrt", "Reciprocal"), _RANGE),
    **dict.fromkeys(("Sin", "Cos", "Tan"), _ANGLES),
}
#: Operators that only move or choose elements: they stay in the type that their input is made in.
MOVES: FrozenSet[str] = frozenset(
    {
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "GatherElements",
        "GatherND",
        "Identity",
        "Reshape",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
#: Both nodes of a Q/DQ pair have their scale here.
SCALE_INPUT = 1
SCALED: FrozenSet[str] = frozenset({"QuantizeLinear", "DequantizeLinear"})
