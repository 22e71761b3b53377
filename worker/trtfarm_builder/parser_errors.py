"""What TensorRT's ONNX parser says of a node, in words."""

from typing import Any


def reason_of(error: Any) -> str:
    """Why the parser refused; where it gives but the condition that did not hold (`false`), the kind of its error."""
    said = str(error.desc())
    return str(error.code().name).lower().replace("_", " ") if said == "false" else said
