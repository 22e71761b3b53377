"""A plan (serialised engine) from a network."""

from typing import Any, Mapping, Sequence

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError, BadRequestError, ToolchainUnfitError
from trtfarm_builder.profiles import profile_shapes
from trtfarm_builder.rtx.binding import COMPUTE_CAPABILITIES, trt
from trtfarm_builder.rtx.logger import BuildLogger
from trtfarm_builder.rtx.options import apply_options
from trtfarm_builder.rtx.progress import ProgressReporter


def config_for(builder: Any, compute_capabilities: Sequence[str], options: Mapping[str, Any]) -> Any:
    """A builder configuration for devices that need not be there."""
    unknown = [name for name in compute_capabilities if name not in COMPUTE_CAPABILITIES]
    if unknown:
        raise ToolchainUnfitError(
            "TensorRT-RTX {} cannot build for {}".format(trt.__version__, ", ".join(unknown)),
            remedy="it builds for: " + ", ".join(sorted(COMPUTE_CAPABILITIES)),
        )
    config = builder.create_builder_config()
    # Only then does the log list the layers with their datatypes.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.num_compute_capabilities = len(compute_capabilities)
    for index, name in enumerate(compute_capabilities):
        config.set_compute_capability(COMPUTE_CAPABILITIES[name], index)
    apply_options(config, options)
    return config


def add_profile(builder: Any, network: Any, config: Any, profiles: Mapping[str, Any]) -> None:
    """One optimization profile for all inputs of the network."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    values = [tensor.name for tensor in inputs if tensor.is_shape_tensor]
    if values:
        raise BadModelError(
            "the values of input {!r} decide shapes; no profile can say them".format(values[0]),
            remedy="export the model with that input as a constant",
        )
    profile = builder.create_optimization_profile()
    for name, shapes in profile_shapes({tensor.name: tensor.shape for tensor in inputs}, profiles).items():
        profile.set_shape(name, *shapes)
    if config.add_optimization_profile(profile) < 0:
        raise BadRequestError("TensorRT-RTX refuses the profile {}".format(dict(profiles)))


def plan_from_network(builder: Any, network: Any, config: Any, logger: BuildLogger, channel: Channel) -> Any:
    """The plan's bytes, as TensorRT's host memory; raises ToolchainUnfitError with TensorRT's own last errors.

    The same build fails again each time, and with another version or for another device it may not: what 1.7 cannot
    compile for sm_75 (any FP32 matrix product) it compiles for sm_80.
    """
    monitor = ProgressReporter(channel, logger)
    config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    logger.check()
    if plan is None:
        raise ToolchainUnfitError(
            "TensorRT-RTX {} cannot compile this model for this target".format(trt.__version__),
            cause=logger.last_errors() or "it did not say why",
            remedy="try another version of TensorRT-RTX, or another target",
        )
    return plan
