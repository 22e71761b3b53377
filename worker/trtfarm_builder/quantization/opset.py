"""Operators learn new things with newer opsets: older models are converted, as far as onnx can."""

import onnx
from onnx import helper, version_converter

from trtfarm_builder.failures import BadModelError
from trtfarm_builder.onnx_files import external_files
from trtfarm_builder.quantization.operators import STANDARD_DOMAINS

#: The first opset in which QuantizeLinear has an axis.
PER_CHANNEL_OPSET = 13


def opset_of(model: onnx.ModelProto) -> int:
    """Version of the standard operators. Raises BadModelError where the model imports none."""
    versions = [item.version for item in model.opset_import if item.domain in STANDARD_DOMAINS]
    if not versions:
        raise BadModelError(
            "the model does not say which opset its operators are from", remedy=_remedy(PER_CHANNEL_OPSET)
        )
    return int(max(versions))


def with_opset(model: onnx.ModelProto, wanted: int, *, why: str) -> onnx.ModelProto:
    """The model itself if its opset is `wanted` or newer, else a converted copy; `why` is what needs it.

    Most tensors keep their names; some operators become other ones. Raises BadModelError where the converter cannot
    do it.
    """
    opset = opset_of(model)
    if opset >= wanted:
        return model
    message = "{} needs opset {}, and the model of opset {} cannot be converted".format(why, wanted, opset)
    try:
        converted = version_converter.convert_version(model, wanted)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise BadModelError(message, cause=str(error), remedy=_remedy(wanted)) from error
    converted.ir_version = max(converted.ir_version, helper.find_min_ir_version_for(converted.opset_import))
    if external_files(converted) != external_files(model):
        raise BadModelError(message, cause="onnx's converter loses external data", remedy=_remedy(wanted))
    return converted


def _remedy(opset: int) -> str:
    return "export the model with opset {} or newer and calibrate that one".format(opset)
