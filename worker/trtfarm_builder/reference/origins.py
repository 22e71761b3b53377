"""Which tensor's values give a tensor its scale: most give their own, some share, and pooling hands its input's on."""

from typing import Dict, Mapping, Sequence

import onnx

from trtfarm_builder.reference.network import Tensor

#: Operators whose output holds the magnitudes of its first input, moved or with other signs.
_SAME_MAGNITUDES = frozenset(
    {
        "Identity",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "DepthToSpace",
        "SpaceToDepth",
        "Abs",
        "Neg",
    }
)
#: Operators that become pooling layers of TensorRT; global pooling becomes a reduction there.
_POOLING = frozenset({"MaxPool", "AveragePool"})
# Pooling of a (batch, channels, length) tensor is wrapped in reshapes, whose outputs are not a pooling layer's.
_POOLING_RANK = 4
_STANDARD = ("", "ai.onnx")


def scale_origins(nodes: Sequence[onnx.NodeProto], tensors: Mapping[str, Tensor]) -> Dict[str, str]:
    """For every float tensor the one whose values are to be observed for its scale.

    TensorRT gives the output of max and average pooling the scale of its input (measured, before fusion); what else
    only moves values has its own scale, which is equal, so that one observation serves both.
    """
    holder = {name: name for name in tensors}
    giver = dict(holder)
    for node in nodes:
        source, target = _first(node.input), _first(node.output)
        if node.domain not in _STANDARD or source not in tensors or target not in tensors:
            continue
        if node.op_type in _SAME_MAGNITUDES and tensors[source].dtype == tensors[target].dtype:
            holder[target] = holder[source]
        elif node.op_type in _POOLING and (tensors[source].rank or _POOLING_RANK) >= _POOLING_RANK:
            giver[target] = giver[source]
    return {name: holder[giver[name]] for name in tensors}


def _first(names: Sequence[str]) -> str:
    return names[0] if names else ""
