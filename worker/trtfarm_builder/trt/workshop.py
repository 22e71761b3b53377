"""Builder, network and configuration: what calibration and building both begin with, and how a plan comes of it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError, BadRequestError, StepError, ToolchainUnfitError
from trtfarm_builder.profiles import profile_shapes
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.device import current_device
from trtfarm_builder.trt.logger import TrtLogger
from trtfarm_builder.trt.memory import memory_error
from trtfarm_builder.trt.network import network_from_onnx, view_of
from trtfarm_builder.trt.network_view import NetworkView
from trtfarm_builder.trt.options import NAMES, allow_precisions, apply_options
from trtfarm_builder.trt.tactics import set_tactic_sources
from trtfarm_builder.trt.timing_cache import set_timing_cache, timing_cache_for

LOG = "build.log"
Shape = Tuple[int, ...]


@dataclass(frozen=True)
class Workshop:
    """`parser` is only kept: the network's weights are its own."""

    logger: TrtLogger
    builder: Any
    network: Any
    parser: Any
    view: NetworkView
    channel: Channel


def open_workshop(model: Path, channel: Channel, *, strongly_typed: bool = False) -> Workshop:
    """Raises ToolchainUnfitError without a usable GPU, BadModelError for what cannot be parsed."""
    logger = TrtLogger(Path(LOG), channel)
    builder = made(trt.Builder, logger)
    network, parser = network_from_onnx(builder, model, logger, strongly_typed=strongly_typed)
    return Workshop(
        logger=logger, builder=builder, network=network, parser=parser, view=view_of(network), channel=channel
    )


def made(kind: Any, logger: TrtLogger) -> Any:
    """A Builder or Runtime; raises ToolchainUnfitError where CUDA cannot be used."""
    try:
        return kind(logger)
    # So pybind11 says that the library made none.
    except TypeError as error:
        reason = logger.last_errors()
        raise memory_error("begin", reason) or ToolchainUnfitError(
            "TensorRT {} cannot use a GPU here".format(trt.__version__),
            cause=reason or "CUDA could not be initialised; see native.log",
            remedy="see that nvidia-smi shows a GPU, and that its driver is new enough for this TensorRT",
        ) from error


@dataclass(frozen=True)
class Setup:
    """A configuration, and what was put into it."""

    config: Any
    precision: str
    #: The tactic sources that it takes kernels from.
    sources: List[str]
    #: Whether it starts from a timing cache.
    warm: bool


def set_up(shop: Workshop, args: Mapping[str, Any], precision: str, *, strongly_typed: bool = False) -> Setup:
    """A configuration with the request's builder options, the flags of its precision, and its timing cache."""
    config, sources = _config_for(shop, args)
    if not strongly_typed:
        allow_precisions(config, precision)
    warm = set_timing_cache(config, timing_cache_for(args, current_device()["name"]), shop.logger, shop.channel)
    return Setup(config=config, precision=precision, sources=sources, warm=warm)


def _config_for(shop: Workshop, options: Mapping[str, Any]) -> Tuple[Any, List[str]]:
    """A configuration with builder options, and its tactic sources."""
    config = shop.builder.create_builder_config()
    # Only then does the engine inspector tell the layers' data types.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    sources = set_tactic_sources(config, options.get("tactic_sources"))
    apply_options(shop.builder, config, {name: options[name] for name in options if name in NAMES})
    if hasattr(config, "progress_monitor"):
        from trtfarm_builder.trt.progress import ProgressReporter  # noqa: PLC0415 - its base class came with 10.0

        config.progress_monitor = ProgressReporter(shop.channel, shop.logger)
    return config, sources


def inputs_of(shop: Workshop) -> Dict[str, Any]:
    """The network's inputs by name; raises BadModelError where the values of one decide shapes."""
    inputs = [shop.network.get_input(index) for index in range(shop.network.num_inputs)]
    values = [tensor.name for tensor in inputs if tensor.is_shape_tensor]
    if values:
        raise BadModelError(
            "the values of input {!r} decide shapes; no profile can say them".format(values[0]),
            remedy="export the model with that input as a constant",
        )
    return {tensor.name: tensor for tensor in inputs}


def add_profile(shop: Workshop, config: Any, profiles: Mapping[str, Any]) -> None:
    """One optimization profile for all inputs: {input: {min, opt, max}}."""
    shapes = profile_shapes({name: tensor.shape for name, tensor in inputs_of(shop).items()}, profiles)
    if config.add_optimization_profile(_profile(shop, shapes)) < 0:
        raise BadRequestError("TensorRT refuses the profile {}".format(dict(profiles)), cause=shop.logger.last_errors())


def set_calibration_profile(shop: Workshop, config: Any, shapes: Mapping[str, Shape]) -> None:
    """The one shape of each input that calibration runs with, whatever the engine takes."""
    profile = _profile(shop, {name: (shape, shape, shape) for name, shape in shapes.items()})
    if not config.set_calibration_profile(profile):
        raise BadRequestError(
            "TensorRT refuses the calibration shapes {}".format(dict(shapes)), cause=shop.logger.last_errors()
        )


def _profile(shop: Workshop, shapes: Mapping[str, Tuple[Shape, Shape, Shape]]) -> Any:
    profile = shop.builder.create_optimization_profile()
    for name, (low, usual, high) in shapes.items():
        profile.set_shape(name, low, usual, high)
    return profile


@dataclass(frozen=True)
class Built:
    """`plan` is in TensorRT's host memory, None where it built none: `refused` says why.

    `seconds` are the build's alone, with the calibration in its middle; starting CUDA and TensorRT takes more.
    """

    plan: Any
    seconds: float


def plan_from_network(shop: Workshop, config: Any) -> Built:
    begun = time.monotonic()
    plan = shop.builder.build_serialized_network(shop.network, config)
    seconds = time.monotonic() - begun
    shop.logger.check()
    return Built(plan=plan, seconds=seconds)


def refused(shop: Workshop, what: str) -> StepError:
    """The error for a build that gave nothing, with TensorRT's own last errors."""
    reason = shop.logger.last_errors()
    return memory_error(what + " this model", reason) or ToolchainUnfitError(
        "TensorRT {} cannot {} this model here".format(trt.__version__, what),
        cause=reason or "it did not say why; see build.log",
        remedy="try another version of TensorRT, other options, or a GPU with more free memory",
    )
