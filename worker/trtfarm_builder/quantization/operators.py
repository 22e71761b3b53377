"""What INT8 means for each ONNX operator, as data: operands, channel axes, and which operators Q/DQ moves through.

After the chapters "Explicit Quantization" and "Q/DQ Layer-Placement Recommendations" of NVIDIA's TensorRT developer
guide: quantise every input of a weighted operator, the skip input of a residual addition, and the inputs of average
pooling; leave the rest to the optimiser, which moves Q/DQ through operators that commute with them.
"""

from dataclasses import dataclass
from typing import Callable, Dict, FrozenSet, Mapping, Optional, Tuple

#: The domain of standard operators has two spellings.
STANDARD_DOMAINS = frozenset({"", "ai.onnx"})

Attributes = Mapping[str, int]
#: (rank of the weights, the node's integer attributes) -> axis of the output channels, None for one scale per tensor.
ChannelAxis = Callable[[int, Attributes], Optional[int]]


def _conv(_rank: int, _attributes: Attributes) -> Optional[int]:
    """Weights (M, C/group, k...): one scale per output channel M."""
    return 0


def _conv_transpose(_rank: int, attributes: Attributes) -> Optional[int]:
    """Weights (C, M/group, k...): with groups, no axis is the output channel, so the tensor gets one scale."""
    return 1 if attributes.get("group", 1) == 1 else None


def _gemm_right(_rank: int, attributes: Attributes) -> Optional[int]:
    """Weights (K, N), or (N, K) with transB: one scale per column N of the result."""
    return 0 if attributes.get("transB", 0) else 1


def _matmul_right(rank: int, _attributes: Attributes) -> Optional[int]:
    """Weights (K, N): one scale per column N. A stack of matrices or a vector gets one scale."""
    return 1 if rank == 2 else None  # noqa: PLR2004 - a matrix


def _whole_tensor(_rank: int, _attributes: Attributes) -> Optional[int]:
    """A constant left factor: its rows are not channels that TensorRT scales apart."""
    return None


@dataclass(frozen=True)
class WeightedOperator:
    """An operator that TensorRT runs as an INT8 convolution or matrix product of two operands.

    `channel_axes` belong to its inputs 0 and 1, should they be constant. `fixed_weights` is true where input 1 must be
    constant for INT8: TensorRT has no INT8 convolution with weights computed at run time.
    """

    channel_axes: Tuple[ChannelAxis, ChannelAxis]
    fixed_weights: bool


WEIGHTED: Dict[str, WeightedOperator] = {
    "Conv": WeightedOperator((_whole_tensor, _conv), fixed_weights=True),
    "ConvTranspose": WeightedOperator((_whole_tensor, _conv_transpose), fixed_weights=True),
    "Gemm": WeightedOperator((_whole_tensor, _gemm_right), fixed_weights=False),
    "MatMul": WeightedOperator((_whole_tensor, _matmul_right), fixed_weights=False),
}
#: They multiply by weights as well, but TensorRT has no INT8 for them by Q/DQ: it unrolls the recurrent ones to
#: products that Q/DQ outside of the node does not reach.
FLOAT_PRODUCTS: FrozenSet[str] = frozenset({"Einsum", "GRU", "LSTM", "RNN"})
#: TensorRT adds a quantised skip tensor to their result in the same INT8 kernel.
CONVOLUTIONS: FrozenSet[str] = frozenset({"Conv", "ConvTranspose"})
#: Operators between a convolution and a residual addition that TensorRT folds into the convolution.
FOLDS_INTO_CONVOLUTION: FrozenSet[str] = frozenset({"BatchNormalization", "Identity", "Dropout"})
#: Poolings with INT8 kernels that do not commute with Q/DQ (a mean rounds), so their input needs a pair of its own.
AVERAGE_POOLING: FrozenSet[str] = frozenset({"AveragePool", "GlobalAveragePool"})
#: Operators that pass INT8 on: they only move or choose elements, or are pointwise and fuse with what is before them.
PASSES_THROUGH: FrozenSet[str] = frozenset(
    {
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Clip",
        "Concat",
        "Dropout",
        "Elu",
        "Flatten",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "MaxPool",
        "Mul",
        "Pad",
        "PRelu",
        "Relu",
        "Reshape",
        "Resize",
        "Sigmoid",
        "Slice",
        "Split",
        "Squeeze",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    }
)
#: Their presence means that somebody has quantised the model already.
QUANTIZED_OPERATORS: FrozenSet[str] = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger"}
    | {"MatMulInteger"}
)
