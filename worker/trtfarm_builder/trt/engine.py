"""An engine, loaded and run through TensorRT's named tensors (8.5 and newer)."""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import (
    BadDataError,
    BadModelError,
    BadRequestError,
    GpuMemoryError,
    StepError,
    ToolchainUnfitError,
)
from trtfarm_builder.trt import gpu
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.datatypes import numpy_dtype
from trtfarm_builder.trt.logger import TrtLogger
from trtfarm_builder.trt.memory import memory_error
from trtfarm_builder.trt.profile_choice import Ranges, Shape, profile_for_samples
from trtfarm_builder.trt.workshop import made

_LOG = "engine.log"
# Others pad their tensors.
_LAYOUT = "LINEAR"
#: What TensorRT says of engines that were made for something else.
_FOREIGN = ("version", "compute", "different device", "platform", "capability")

Arrays = Dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Port:
    """An input or output. `shape` has -1 for free sizes; `low`, `usual` and `high` are an input's profile."""

    name: str
    is_input: bool
    dtype: "np.dtype[Any]"
    shape: Shape
    low: Shape = ()
    usual: Shape = ()
    high: Shape = ()


@dataclass(frozen=True)
class Engine:
    """A loaded engine, and a context to run it in with one of its optimization profiles, counted from 0."""

    native: Any
    context: Any
    logger: TrtLogger
    ports: Dict[str, Port]
    profile: int = 0

    @property
    def inputs(self) -> List[Port]:
        return [port for port in self.ports.values() if port.is_input]

    @property
    def outputs(self) -> List[Port]:
        return [port for port in self.ports.values() if not port.is_input]

    @property
    def profiles(self) -> List[Ranges]:
        """The shapes of all inputs in each profile."""
        count = self.native.num_optimization_profiles
        return [{port.name: _profile_shapes(self.native, port.name, n) for port in self.inputs} for n in range(count)]

    def in_profile(self, number: int) -> "Engine":
        """The same, whose context takes the shapes of another profile from now on."""
        if number == self.profile:
            return self
        with gpu.stream() as stream:
            if not self.context.set_optimization_profile_async(number, int(stream)):
                raise StepError("TensorRT does not take profile {}".format(number), cause=self.logger.last_errors())
            gpu.synchronize(stream)
        ports = {name: _port(self.native, name, number) for name in self.ports}
        return replace(self, ports=ports, profile=number)

    def for_samples(
        self, samples: Mapping[str, Shape], *, wanted: Optional[int] = None, size: Optional[int] = None
    ) -> "Engine":
        """In the profile that takes samples of these shapes, as `profile_for_samples` finds it."""
        return self.in_profile(profile_for_samples(self.profiles, samples, wanted=wanted, size=size))

    @property
    def batches(self) -> Tuple[int, int]:
        """Least and largest batch size."""
        return max(port.low[0] for port in self.inputs if port.low), min(
            port.high[0] for port in self.inputs if port.high
        )


def open_engine(path: Path, channel: Channel) -> Engine:
    """Loads an engine file, which is native code: only the farm's own, checked before.

    Raises ToolchainUnfitError for an engine of another TensorRT or GPU, BadRequestError for what is no engine.
    """
    logger = TrtLogger(Path(_LOG), channel)
    native = made(trt.Runtime, logger).deserialize_cuda_engine(path.read_bytes())
    logger.check()
    if native is None:
        raise _not_loaded(path, logger.last_errors() or "it did not say why")
    return engine_of(native, logger)


def engine_of(native: Any, logger: TrtLogger) -> Engine:
    """A loaded engine with a context. Raises GpuMemoryError where there is no room for one."""
    context = native.create_execution_context()
    if context is None:
        raise GpuMemoryError(
            "the engine does not fit on the GPU", cause=logger.last_errors(), remedy="see nvidia-smi for who holds it"
        )
    names = [native.get_tensor_name(index) for index in range(native.num_io_tensors)]
    return Engine(native=native, context=context, logger=logger, ports={name: _port(native, name, 0) for name in names})


def _not_loaded(path: Path, reason: str) -> StepError:
    message = "TensorRT {} cannot load {}".format(trt.__version__, path.name)
    if any(word in reason.lower() for word in _FOREIGN):
        return ToolchainUnfitError(message, cause=reason, remedy="build it again for this TensorRT and GPU")
    if short := memory_error("load the engine", reason):
        return short
    return BadRequestError(message, cause=reason, remedy="the file is damaged: get it again, or build it again")


def _profile_shapes(native: Any, name: str, profile: int) -> Tuple[Shape, Shape, Shape]:
    low, usual, high = (tuple(shape) for shape in native.get_tensor_profile_shape(name, profile))
    return low, usual, high


def _port(native: Any, name: str, profile: int) -> Port:
    is_input = native.get_tensor_mode(name) == trt.TensorIOMode.INPUT
    if native.is_shape_inference_io(name):
        raise BadModelError("the values of tensor {!r} decide shapes; such engines are not run here".format(name))
    layout = native.get_tensor_format(name).name
    if layout != _LAYOUT:
        raise BadModelError("tensor {!r} is laid out as {}; such engines are not run here".format(name, layout))
    low, usual, high = _profile_shapes(native, name, profile) if is_input else ((), (), ())
    return Port(
        name=name,
        is_input=is_input,
        dtype=numpy_dtype(name, native.get_tensor_dtype(name)),
        shape=tuple(native.get_tensor_shape(name)),
        low=low,
        usual=usual,
        high=high,
    )


class Run:
    """An engine set up for inputs of one shape: its memory on the GPU stays where it is from run to run."""

    def __init__(self, engine: Engine, shapes: Mapping[str, Shape], stream: Any, stack: ExitStack) -> None:
        self._engine = engine
        self._stream = stream
        self.shapes: Dict[str, Shape] = {}
        self._addresses: Dict[str, int] = {}
        for name, shape in shapes.items():
            if not engine.context.set_input_shape(name, shape):
                raise _refused_shape(engine.ports[name], shape)
        for port in engine.ports.values():
            shape = tuple(engine.context.get_tensor_shape(port.name))
            if any(size < 0 for size in shape):
                raise BadModelError("the shape of output {!r} is known only after a run".format(port.name))
            self.shapes[port.name] = shape
            size = int(np.prod(shape, dtype=np.int64)) * port.dtype.itemsize
            self._addresses[port.name] = stack.enter_context(gpu.device_memory(size))
            engine.context.set_tensor_address(port.name, self._addresses[port.name])

    def load(self, feeds: Arrays) -> None:
        """Copies inputs, of this run's shapes, to the GPU."""
        for name, array in feeds.items():
            gpu.copy_to_gpu(self._addresses[name], np.ascontiguousarray(array))

    def launch(self) -> None:
        """Puts one inference into the stream."""
        if not self._engine.context.execute_async_v3(self._stream):
            raise StepError("the engine does not run", cause=self._engine.logger.last_errors())

    def fetch(self) -> Arrays:
        """Waits for the stream; then the outputs, copied from the GPU."""
        gpu.synchronize(self._stream)
        found = {port.name: np.empty(self.shapes[port.name], port.dtype) for port in self._engine.outputs}
        for name, array in found.items():
            gpu.copy_from_gpu(array, self._addresses[name])
        return found


@contextmanager
def set_up(engine: Engine, shapes: Mapping[str, Shape]) -> Iterator[Run]:
    with ExitStack() as stack:
        stream = stack.enter_context(gpu.stream())
        yield Run(engine, shapes, int(stream), stack)


def _refused_shape(port: Port, shape: Shape) -> BadDataError:
    return BadDataError(
        "input {!r} cannot be of shape {}".format(port.name, list(shape)),
        cause="this profile takes from {} to {}".format(list(port.low), list(port.high)),
        remedy="use a batch size within, or build the engine for these shapes",
    )


class Runner:
    """Runs an engine on batches of any size up to its largest; memory is set up anew only when the shape changes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._stack = ExitStack()
        self._run: Optional[Run] = None
        self._shapes: Dict[str, Shape] = {}

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, feeds: Arrays) -> Arrays:
        """Outputs for `feeds`, whose first axes count samples, n of them.

        An engine that takes no n gets the last sample repeated; outputs are cut back to n rows.
        """
        samples = len(next(iter(feeds.values())))
        missing = max(self.engine.batches[0] - samples, 0)
        if missing:
            feeds = {name: np.concatenate([array, *[array[-1:]] * missing]) for name, array in feeds.items()}
        run = self._for({name: array.shape for name, array in feeds.items()})
        run.load(feeds)
        run.launch()
        found = run.fetch()
        if not missing:
            return found
        return {n: a[:samples] if a.shape[:1] == (samples + missing,) else a for n, a in found.items()}

    def _for(self, shapes: Dict[str, Shape]) -> Run:
        if self._run is None or shapes != self._shapes:
            self._stack.close()
            self._run = self._stack.enter_context(set_up(self.engine, shapes))
            self._shapes = shapes
        return self._run
