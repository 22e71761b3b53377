"""What goes into and comes out of a network; TensorRT's and TensorRT-RTX's networks answer alike."""

from typing import Any, Dict, List

from trtfarm_builder.datatypes import numpy_word


def tensors_of(network: Any) -> List[Dict[str, Any]]:
    """Inputs and outputs as {name, mode, dtype, shape}; -1 is a free dimension."""
    inputs = [(network.get_input(index), "input") for index in range(network.num_inputs)]
    outputs = [(network.get_output(index), "output") for index in range(network.num_outputs)]
    return [
        {"name": tensor.name, "mode": mode, "dtype": numpy_word(tensor.dtype.name), "shape": list(tensor.shape)}
        for tensor, mode in inputs + outputs
    ]
