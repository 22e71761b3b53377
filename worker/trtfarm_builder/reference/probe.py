"""A first look at a model's activations, without keeping them: how large they are, and whether samples are independent.

Both are computed inside the graph, so that a look costs no more memory than running the model.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from trtfarm_builder.failures import StepError
from trtfarm_builder.reference.network import Network, Tensor
from trtfarm_builder.reference.samples import Samples, fixed_batch
from trtfarm_builder.sessions import open_session, run_session

_PREFIX = "trtfarm.probe"
# Runs of different batch sizes round differently; a model that mixes samples differs by far more.
_TOLERANCE = 1e-3

Look = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Profile:
    """Bytes of each tensor in one run of `samples`, and whether a batch may be run in pieces with the same result."""

    nbytes: Dict[str, int]
    samples: int
    separable: bool


def profile_of(network: Network, names: Sequence[str], samples: Samples, batch_size: int) -> Profile:
    """Looks at the first batch. Raises BadDataError where the model cannot run it."""
    tensors = [network.tensors[name] for name in names]
    if batch_size > 1 and fixed_batch(network.inputs) is None:
        try:
            return _profile_of_samples(network, tensors, samples, batch_size)
        except StepError:
            # The model takes no single samples, or has tensors that cannot be reduced: the batch stays whole.
            pass
    sizes = _look(network, tensors, ("Size",), [samples.read(0, batch_size)])[0]
    return Profile(nbytes=_nbytes(tensors, sizes), samples=batch_size, separable=False)


def _profile_of_samples(network: Network, tensors: Sequence[Tensor], samples: Samples, batch_size: int) -> Profile:
    one, other = samples.read(0, 1), samples.read(batch_size - 1, batch_size)
    both = {name: np.concatenate([one[name], other[name]]) for name in one}
    looks = _look(network, tensors, ("Size", "ReduceSum", "ReduceMax"), [one, other, both])
    separable = all(_is_separable(tensor.name, *looks) for tensor in tensors)
    return Profile(nbytes=_nbytes(tensors, looks[0]), samples=1, separable=separable)


def _look(
    network: Network, tensors: Sequence[Tensor], measures: Sequence[str], feeds: Sequence[Mapping[str, NDArray[Any]]]
) -> List[Look]:
    """Measures of the tensors' magnitudes, each a scalar named `<prefix>/<measure>/<tensor>`, for each of the feeds."""
    nodes = [node for tensor in tensors for node in _measuring(tensor, measures)]
    outputs = [_measure(word, tensor.name) for tensor in tensors for word in measures]
    session = open_session(network.cut(outputs, nodes), network.folder)
    return [run_session(session, outputs, feed) for feed in feeds]


def _measuring(tensor: Tensor, measures: Sequence[str]) -> List[NodeProto]:
    real, magnitude = _measure("real", tensor.name), _measure("magnitude", tensor.name)
    nodes = [
        helper.make_node("Cast", [tensor.name], [real], to=TensorProto.FLOAT),
        helper.make_node("Abs", [real], [magnitude]),
    ]
    for word in measures:
        options: Dict[str, Any] = {} if word == "Size" else {"keepdims": 0}
        nodes.append(helper.make_node(word, [magnitude], [_measure(word, tensor.name)], **options))
    return nodes


def _measure(word: str, name: str) -> str:
    return "{}/{}/{}".format(_PREFIX, word, name)


def _nbytes(tensors: Sequence[Tensor], sizes: Look) -> Dict[str, int]:
    return {t.name: int(sizes[_measure("Size", t.name)]) * np.dtype(t.dtype).itemsize for t in tensors}


def _is_separable(name: str, one: Look, other: Look, both: Look) -> bool:
    """Whether the tensor of two samples is the tensors of each put together, or does not depend on samples at all."""
    sizes, sums, maxima = (
        [float(look[_measure(word, name)]) for look in (one, other, both)]
        for word in ("Size", "ReduceSum", "ReduceMax")
    )
    if not _close(max(maxima[0], maxima[1]), maxima[2]):
        return False
    same = sizes[0] == sizes[1] == sizes[2] and _close(sums[0], sums[2]) and _close(sums[1], sums[2])
    return same or (sizes[0] + sizes[1] == sizes[2] and _close(sums[0] + sums[1], sums[2]))


def _close(have: float, want: float) -> bool:
    return bool(np.isclose(have, want, rtol=_TOLERANCE, atol=0, equal_nan=True))
