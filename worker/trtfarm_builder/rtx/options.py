"""The builder options that a request may name, and how each is set; names, never masks, for those were renumbered."""

from typing import Any, Dict, Mapping

from trtfarm_builder.failures import BadRequestError
from trtfarm_builder.rtx.binding import trt

#: Attributes of IBuilderConfig that take a whole number.
_NUMBERS = ("builder_optimization_level", "max_aux_streams", "avg_timing_iterations", "max_num_tactics")


def apply_options(config: Any, options: Mapping[str, Any]) -> None:
    """Sets `flags` (names of BuilderFlag), `workspace_bytes` and numbers; raises BadRequestError for all else."""
    for name, value in options.items():
        if name == "flags":
            for flag in value:
                config.set_flag(_flag(flag))
        elif name == "workspace_bytes":
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, value)
        elif name in _NUMBERS and hasattr(config, name):
            _set_number(config, name, value)
        else:
            raise BadRequestError(
                "TensorRT-RTX {} has no builder option {!r}".format(trt.__version__, name),
                remedy="use: flags, workspace_bytes, " + ", ".join(n for n in _NUMBERS if hasattr(config, n)),
            )


def _set_number(config: Any, name: str, value: Any) -> None:
    setattr(config, name, value)
    # TensorRT logs and ignores, or clamps, what is out of range.
    if getattr(config, name) != value:
        raise BadRequestError("{} cannot be {!r}; TensorRT-RTX makes it {}".format(name, value, getattr(config, name)))


def _flag(name: str) -> Any:
    flags: Dict[str, Any] = trt.BuilderFlag.__members__
    if name not in flags:
        raise BadRequestError(
            "TensorRT-RTX {} has no builder flag {!r}".format(trt.__version__, name),
            remedy="use one of: " + ", ".join(sorted(flags)),
        )
    return flags[name]
