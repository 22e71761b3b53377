"""The builder options that a request may name: what each sets, and what to say where this TensorRT lacks it.

Names, never masks: the numbers of flags changed with 11.0. What there is was read off the bindings of 8.5.3, 8.6.1,
10.13.3 and 11.4.0.
"""

from typing import Any, List, Mapping

from trtfarm_builder.builder_config import member_of, set_number
from trtfarm_builder.failures import BadRequestError, ToolchainUnfitError
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.datatypes import data_type

#: Attributes of IBuilderConfig that take a whole number, the first release that has each, and the first without it.
NUMBERS = {
    "builder_optimization_level": ("8.6", ""),
    "avg_timing_iterations": ("8.0", ""),
    "min_timing_iterations": ("8.0", "10.0"),
    "max_aux_streams": ("8.6", ""),
    "max_num_tactics": ("10.0", ""),
}
#: Option that is on or off -> flag of BuilderFlag, the first release that has it, and the first that has it no more.
SWITCHES = {
    "refit": ("REFIT", "8.0", ""),
    "strip_plan": ("STRIP_PLAN", "10.0", ""),
    "sparse_weights": ("SPARSE_WEIGHTS", "8.0", ""),
    "version_compatible": ("VERSION_COMPATIBLE", "8.6", ""),
    "gpu_fallback": ("GPU_FALLBACK", "8.0", ""),
}
#: Word of `precision` -> flag. fp32 is what needs none.
PRECISION_FLAGS = {
    "fp16": ("FP16", "8.0", "11.0"),
    "bf16": ("BF16", "10.0", "11.0"),
    "int8": ("INT8", "8.0", "11.0"),
    "fp8": ("FP8", "8.6", "11.0"),
}
#: Networks have their own types from there on, and what chose types before is gone.
_TYPED_FROM = "11.0"
_CONSTRAINTS = {
    "prefer": ("PREFER_PRECISION_CONSTRAINTS", "8.2", "11.0"),
    "obey": ("OBEY_PRECISION_CONSTRAINTS", "8.2", "11.0"),
}
_OTHERS = ("flags", "clear_flags", "workspace_bytes", "hardware_compatibility", "dla_core", "precision_constraints")
#: Everything that `apply_options` takes.
NAMES = frozenset((*NUMBERS, *SWITCHES, *_OTHERS))


def apply_options(builder: Any, config: Any, options: Mapping[str, Any]) -> None:
    """Sets each option. Raises BadRequestError for what cannot be, ToolchainUnfitError for what this version lacks."""
    unknown = sorted(set(options) - NAMES)
    if unknown:
        raise BadRequestError(
            "TensorRT has no builder option {}".format(", ".join(unknown)), remedy="use: " + ", ".join(sorted(NAMES))
        )
    for name, value in options.items():
        if name in NUMBERS:
            _set_number(config, name, value)
        elif name in SWITCHES:
            if value:
                set_flag(config, name, SWITCHES[name])
        else:
            _SETTERS[name](builder, config, value)


def words_of(precision: str) -> List[str]:
    """`int8+fp16` -> int8, fp16. Raises BadRequestError for words that are no precision."""
    words = precision.split("+")
    unknown = [word for word in words if word != "fp32" and word not in PRECISION_FLAGS]
    if unknown or len(set(words)) < len(words):
        raise BadRequestError(
            "{!r} is no precision".format(precision),
            remedy="use fp32, or some of {} joined by +".format(", ".join(PRECISION_FLAGS)),
        )
    return words


def allow_precisions(config: Any, precision: str) -> None:
    """Sets the flags of a precision such as `int8+fp16`, for networks that are not strongly typed."""
    for word in words_of(precision):
        if word != "fp32":
            set_flag(config, "precision " + word, PRECISION_FLAGS[word])


def set_flag(config: Any, option: str, flag: Any) -> None:
    name, since, gone = flag
    flags: Mapping[str, Any] = trt.BuilderFlag.__members__
    if name not in flags:
        raise lacking(option, since, gone)
    config.set_flag(flags[name])


def lacking(option: str, since: str, gone: str = "") -> ToolchainUnfitError:
    """The error for an option that this TensorRT does not have; `since` and `gone` are releases."""
    span = "from {} on".format(since) + (" until {} removed it".format(gone) if gone else "")
    remedy = "use a toolchain with a TensorRT that has it"
    if gone == _TYPED_FROM:
        remedy += "; from {} on the model's own types and Q/DQ nodes decide".format(gone)
    return ToolchainUnfitError(
        "TensorRT {} has no {}".format(trt.__version__, option), cause="it is there {}".format(span), remedy=remedy
    )


def set_layer_precisions(network: Any, precisions: Mapping[str, str]) -> None:
    """Says of single layers what they are to compute in. Raises BadRequestError naming unknown layers and words."""
    layers = {network.get_layer(index).name: network.get_layer(index) for index in range(network.num_layers)}
    unknown = sorted(set(precisions) - set(layers))
    if unknown:
        raise BadRequestError(
            "the network has no layer {}".format(", ".join(map(repr, unknown))),
            remedy="layers are named after the model's nodes; see the layers of a build's answer",
        )
    for name, word in precisions.items():
        if not hasattr(layers[name], "precision_is_set"):
            raise lacking("layer precisions", "8.0", "11.0")
        layers[name].precision = _data_type(word)


def set_io_formats(network: Any, formats: Mapping[str, Mapping[str, Any]]) -> None:
    """Sets type and memory formats of inputs and outputs: {tensor: {"dtype": word, "formats": [names]}}."""
    tensors = {tensor.name: tensor for tensor in _inputs_and_outputs(network)}
    for name, wanted in formats.items():
        if name not in tensors:
            raise BadRequestError(
                "the model has no input or output {!r}".format(name), remedy="it has: " + ", ".join(sorted(tensors))
            )
        if "dtype" in wanted:
            tensors[name].dtype = _data_type(wanted["dtype"])
        if "formats" in wanted:
            known = trt.TensorFormat.__members__
            unknown = [word for word in wanted["formats"] if word not in known]
            if unknown:
                raise BadRequestError(
                    "there is no tensor format {}".format(", ".join(unknown)), remedy="use: " + ", ".join(sorted(known))
                )
            tensors[name].allowed_formats = sum(1 << int(known[word]) for word in set(wanted["formats"]))


def _inputs_and_outputs(network: Any) -> Any:
    yield from (network.get_input(index) for index in range(network.num_inputs))
    yield from (network.get_output(index) for index in range(network.num_outputs))


def _data_type(word: str) -> Any:
    found = data_type(word)
    if found is None:
        raise BadRequestError("TensorRT {} has no type {!r}".format(trt.__version__, word), remedy="use fp32 or fp16")
    return found


def _set_number(config: Any, name: str, value: Any) -> None:
    if not hasattr(config, name):
        raise lacking(name, *NUMBERS[name])
    set_number(config, name, value, "TensorRT")


def _set_flags(_: Any, config: Any, names: Any) -> None:
    for name in names:
        config.set_flag(_flag(name))


def _clear_flags(_: Any, config: Any, names: Any) -> None:
    for name in names:
        config.clear_flag(_flag(name))


def _flag(name: str) -> Any:
    return member_of(trt.BuilderFlag, name, "TensorRT {} has no builder flag".format(trt.__version__))


def _set_workspace(_: Any, config: Any, size: Any) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, size)


def _set_hardware_compatibility(_: Any, config: Any, level: Any) -> None:
    if not hasattr(trt, "HardwareCompatibilityLevel"):
        raise lacking("hardware_compatibility", "8.6")
    none = "TensorRT {} has no hardware compatibility".format(trt.__version__)
    config.hardware_compatibility_level = member_of(trt.HardwareCompatibilityLevel, level, none)


def _set_dla_core(builder: Any, config: Any, core: Any) -> None:
    if not 0 <= core < builder.num_DLA_cores:
        raise ToolchainUnfitError(
            "this device has no DLA core {}".format(core),
            cause="it has {} of them".format(builder.num_DLA_cores),
            remedy="build on a Jetson or DRIVE board, or leave dla_core out",
        )
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core


def _set_constraints(_: Any, config: Any, word: Any) -> None:
    if word not in _CONSTRAINTS:
        raise BadRequestError("no precision_constraints {!r}".format(word), remedy="use prefer or obey")
    set_flag(config, "precision_constraints", _CONSTRAINTS[word])


_SETTERS = {
    "flags": _set_flags,
    "clear_flags": _clear_flags,
    "workspace_bytes": _set_workspace,
    "hardware_compatibility": _set_hardware_compatibility,
    "dla_core": _set_dla_core,
    "precision_constraints": _set_constraints,
}
