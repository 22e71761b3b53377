"""Scales of weights: the largest magnitude of each output channel, divided by 127."""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np
import numpy.typing as npt

from trtfarm_builder.quantization.constants import Constants
from trtfarm_builder.quantization.operators import Attributes, ChannelAxis
from trtfarm_builder.quantization.scales import LEVELS

Float32 = npt.NDArray[np.float32]
_SMALLEST = np.finfo(np.float32).tiny


def weight_scales(weights: Float32, axis: Optional[int]) -> Float32:
    """max |w| / 127 along `axis` (shape (channels,)), or of the whole tensor (shape ()); float32, always above zero.

    This is the rule of NVIDIA's developer guide for weights; no weight is clipped, and |w - dq(q(w))| is at most half a
    scale. A channel of zeros (or of magnitudes that vanish next to float32's range) takes the largest scale of
    its tensor: whatever is positive gives zeros, and that one keeps the multipliers of all channels alike.
    Raises ValueError where the weights are empty or not all finite.
    """
    if weights.size == 0:
        raise ValueError("its weights are empty")
    others = None if axis is None else tuple(number for number in range(weights.ndim) if number != axis)
    # Not np.abs: it would hold a second copy of the weights.
    amax = np.maximum(weights.max(axis=others), -weights.min(axis=others))
    if not np.isfinite(amax).all():
        raise ValueError("its weights hold NaN or infinity")
    scales = np.asarray(amax / np.float32(LEVELS), dtype=np.float32)
    usable = scales >= _SMALLEST
    filler = scales[usable].max() if usable.any() else np.float32(1)
    return np.where(usable, scales, filler).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Weight:
    """A constant operand. `scales` is float32, of shape (channels,) along `axis`, or () without an axis.

    `folded` is the value where no tensor of the model holds it in this form.
    """

    tensor: str
    shape: Tuple[int, ...]
    axis: Optional[int]
    scales: Float32
    folded: Optional[Float32]


class Weights:
    """Prepares constants as weights; one that several nodes share along the same axis is prepared once."""

    def __init__(self, constants: Constants) -> None:
        self._constants = constants
        self._prepared: Dict[Tuple[str, Optional[int]], Weight] = {}
        self._ranks: Dict[str, int] = {}

    def prepare(self, tensor: str, channel_axis: ChannelAxis, attributes: Attributes) -> Weight:
        """The constant `tensor` as weights of an operator. Raises ValueError with the reason where it cannot be."""
        rank = self._ranks.get(tensor)
        known = None if rank is None else self._prepared.get((tensor, channel_axis(rank, attributes)))
        if known is not None:
            return known
        constant = self._constants.read(tensor)
        value = constant.value
        if value.dtype != np.float32:
            raise ValueError("its weights are {}, and INT8 takes them from float32".format(value.dtype))
        axis = channel_axis(value.ndim, attributes)
        if axis is not None and axis >= value.ndim:
            raise ValueError("its weights have {} axes, too few for the operator".format(value.ndim))
        weights = value.astype(np.float32, copy=False)
        weight = Weight(
            tensor=tensor,
            shape=value.shape,
            axis=axis,
            scales=weight_scales(weights, axis),
            folded=weights if constant.folded else None,
        )
        self._ranks[tensor] = value.ndim
        self._prepared[tensor, axis] = weight
        return weight
