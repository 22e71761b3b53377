"""A parsed network as plain data."""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

_FLOATS = ("FLOAT", "HALF", "BF16")


@dataclass(frozen=True)
class Tensor:
    """A tensor that a layer gives or the network takes; `rank` is None while TensorRT does not know it."""

    name: str
    dtype: str
    rank: Optional[int]

    @property
    def is_float(self) -> bool:
        return self.dtype in _FLOATS


@dataclass(frozen=True)
class Layer:
    """`kind` is TensorRT's LayerType; an input that is left out has an empty name."""

    index: int
    name: str
    kind: str
    inputs: Tuple[str, ...]
    outputs: Tuple[Tensor, ...]


@dataclass(frozen=True)
class NetworkView:
    """A parsed network as plain data, in TensorRT's order."""

    inputs: Tuple[Tensor, ...]
    layers: Tuple[Layer, ...]
    outputs: Tuple[str, ...]

    @property
    def tensors(self) -> Dict[str, Tensor]:
        """All tensors by name, inputs first."""
        outputs = (tensor for layer in self.layers for tensor in layer.outputs)
        return {tensor.name: tensor for tensor in (*self.inputs, *outputs)}

    @property
    def quantized(self) -> bool:
        """Whether Q/DQ nodes say what runs in INT8."""
        return any(layer.kind in ("QUANTIZE", "DEQUANTIZE") for layer in self.layers)
