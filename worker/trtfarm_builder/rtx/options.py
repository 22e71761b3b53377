"""The builder options that a request may name, and how each is set; names, never masks, for those were renumbered."""

from typing import Any, Mapping

from trtfarm_builder.builder_config import member_of, set_number
from trtfarm_builder.failures import BadRequestError
from trtfarm_builder.rtx.binding import trt

#: Attributes of IBuilderConfig that take a whole number.
_NUMBERS = ("builder_optimization_level", "max_aux_streams", "avg_timing_iterations", "max_num_tactics")


def apply_options(config: Any, options: Mapping[str, Any]) -> None:
    """Sets `flags` (names of BuilderFlag), `workspace_bytes` and numbers; raises BadRequestError for all else."""
    software = "TensorRT-RTX {}".format(trt.__version__)
    for name, value in options.items():
        if name == "flags":
            for flag in value:
                config.set_flag(member_of(trt.BuilderFlag, flag, "{} has no builder flag".format(software)))
        elif name == "workspace_bytes":
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, value)
        elif name in _NUMBERS and hasattr(config, name):
            set_number(config, name, value, "TensorRT-RTX")
        else:
            raise BadRequestError(
                "{} has no builder option {!r}".format(software, name),
                remedy="use: flags, workspace_bytes, " + ", ".join(n for n in _NUMBERS if hasattr(config, n)),
            )
