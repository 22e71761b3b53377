"""Prepared arrays as an engine's inputs, or random ones."""

from typing import Any, Dict, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.arrays import open_array
from trtfarm_builder.failures import BadDataError
from trtfarm_builder.trt.calibration_data import Feed, read_as
from trtfarm_builder.trt.engine import Arrays, Engine, Port
from trtfarm_builder.trt.profile_choice import Shape

_SEED = 0


class EngineSamples:
    """The samples of all inputs, read a batch at a time."""

    def __init__(self, engine: Engine, specs: Mapping[str, Dict[str, Any]]) -> None:
        """Raises BadDataError where the data do not fit the engine's inputs."""
        wanted = {port.name: port for port in engine.inputs}
        if set(wanted) != set(specs):
            raise BadDataError(
                "the data are for inputs {}, the engine has {}".format(sorted(specs), sorted(wanted)),
                remedy="name each array after the input it is for",
            )
        self._feeds = {
            name: Feed(array=open_array(name, specs[name]), dtype=port.dtype) for name, port in wanted.items()
        }
        counts = {feed.array.samples for feed in self._feeds.values()}
        if len(counts) > 1 or counts == {0}:
            raise BadDataError("the inputs have {} samples".format(" and ".join(map(str, sorted(counts)))))
        self.count = min(counts)
        #: Of one sample of each input.
        self.shapes: Dict[str, Shape] = {name: tuple(feed.array.shape[1:]) for name, feed in self._feeds.items()}

    def read(self, start: int, stop: int) -> Arrays:
        found = {}
        for name, feed in self._feeds.items():
            found[name] = np.empty((stop - start, *feed.array.shape[1:]), feed.dtype)
            read_as(feed, start, stop, found[name])
        return found


def random_feeds(engine: Engine, size: Optional[int] = None) -> Arrays:
    """Inputs of the profile's usual shapes, or of batches of `size`: numbers from 0 to 1, ones for integers."""
    numbers = np.random.default_rng(_SEED)
    return {port.name: _values(port, _shape(port, size), numbers) for port in engine.inputs}


def _shape(port: Port, size: Optional[int]) -> Shape:
    return port.usual if size is None or port.shape[:1] != (-1,) else (size, *port.usual[1:])


def _values(port: Port, shape: Shape, numbers: np.random.Generator) -> "NDArray[Any]":
    if np.issubdtype(port.dtype, np.floating):
        return numbers.random(shape, np.float32).astype(port.dtype)
    return np.ones(shape, port.dtype)
