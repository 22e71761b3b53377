"""What a build cannot be asked for together, and what TensorRT would ignore or get wrong in silence."""

from typing import Any, FrozenSet, List, Mapping

from trtfarm_builder.failures import BadModelError, BadRequestError
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.given_scales import SCALES
from trtfarm_builder.trt.options import NAMES, PRECISION_FLAGS, lacking

_NO_OPTIONS = frozenset({"model", "inputs", "precision", "profiles", "rule"})


#: What Q/DQ nodes may say.
_IN_NODES = frozenset({"int8", "fp8"})


def check_names(args: Mapping[str, Any], known: FrozenSet[str]) -> None:
    """Raises BadRequestError for arguments that are neither `known` nor builder options: they would be passed over."""
    unknown = sorted(set(args) - known - NAMES)
    if unknown:
        raise BadRequestError(
            "TensorRT has no builder option {}".format(", ".join(unknown)),
            remedy="use: " + ", ".join(sorted(NAMES | known - _NO_OPTIONS)),
        )


def strongly_typed(args: Mapping[str, Any]) -> bool:
    """Whether types are the network's own: asked for, or the only way that this TensorRT has."""
    flags = trt.NetworkDefinitionCreationFlag.__members__
    if args.get("strongly_typed") and "STRONGLY_TYPED" not in flags:
        raise lacking("strongly_typed", "10.0")
    return bool(args.get("strongly_typed")) or "INT8" not in trt.BuilderFlag.__members__


def check_precision(words: List[str], args: Mapping[str, Any], *, quantized: bool) -> None:
    """Raises for contradictions between the precision's `words`, `args` and a model that has Q/DQ nodes or not."""
    given = [name for name in SCALES if args.get(name)]
    if given and (quantized or "int8" not in words):
        raise BadRequestError(
            "{} would not be used".format(given[0]),
            cause="the model's Q/DQ nodes hold its scales" if quantized else "the precision is not int8",
            remedy="leave it out, or ask for int8 of the model from before quantisation",
        )
    if quantized and not _IN_NODES & set(words):
        raise BadModelError(
            "the model has Q/DQ nodes, so TensorRT needs INT8 to build it",
            remedy="ask for int8, or hand in the model from before quantisation",
        )
    if "int8" in words and not quantized and not given:
        raise BadRequestError(
            "INT8 needs scales, and the model has no Q/DQ nodes", remedy="give a table, or quantise the model"
        )
    if strongly_typed(args) and given:
        raise lacking("calibration tables for strongly typed networks", "8.5", "11.0")
    said = _IN_NODES if quantized else {"int8"}
    types_given = [word for word in words if word in PRECISION_FLAGS and word not in said]
    if strongly_typed(args) and types_given:
        raise BadRequestError(
            "a strongly typed network takes no precision {}".format(types_given[0]),
            cause="its own types decide",
            remedy="export the model with these types, or leave strongly_typed out",
        )
    if args.get("layer_precisions") and not args.get("precision_constraints"):
        raise BadRequestError(
            "layer_precisions would not be heeded", remedy="say how strictly: precision_constraints prefer or obey"
        )
