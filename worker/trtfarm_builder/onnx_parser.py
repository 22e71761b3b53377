"""Having TensorRT's ONNX parser read a model, and what it says of a node in words."""

from pathlib import Path
from typing import Any, Callable

from trtfarm_builder.failures import BadModelError

_ERRORS_SHOWN = 5


def reason_of(error: Any) -> str:
    """Why the parser refused; where it gives but the condition that did not hold (`false`), the kind of its error."""
    said = str(error.desc())
    return str(error.code().name).lower().replace("_", " ") if said == "false" else said


def described(error: Any) -> str:
    """The node that the parser stumbled over, and why."""
    name, operator = error.node_name(), error.node_operator()
    where = "node {!r} ({}): ".format(name, operator) if name or operator else ""
    return where + reason_of(error)


def parse(
    parser: Any, network: Any, path: Path, logger: Any, *, software: str, describe: Callable[[Any], str] = described
) -> None:
    """Fills the parser's network from a file.

    Raises BadModelError with the nodes that the parser of `software` stumbled over, what the logger has failed with,
    and BadModelError for a model without outputs.
    """
    parsed = parser.parse_from_file(str(path))
    logger.check()
    if not parsed:
        errors = [parser.get_error(index) for index in range(min(parser.num_errors, _ERRORS_SHOWN))]
        raise BadModelError(
            "{} cannot parse the model".format(software),
            cause="\n".join(map(describe, errors)) or logger.last_errors(),
            remedy="export the model without these nodes, or with another opset",
        )
    if network.num_outputs == 0:
        raise BadModelError("the model has no outputs")
