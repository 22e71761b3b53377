"""Nodes to leave in floating point: those that the user names, by name, glob or operator, and those a search found."""

import difflib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import FrozenSet, Mapping, Optional, Sequence, Tuple

import onnx

from trtfarm_builder.failures import BadRequestError
from trtfarm_builder.quantization.graph import label


@dataclass(frozen=True)
class Exclusions:
    """`nodes` are exact names or globs (`*`, `?`, `[…]`), `op_types` exact operator names.

    `found` has the reason for each node that nobody named: {exact name: reason}.
    """

    nodes: Tuple[str, ...] = ()
    op_types: FrozenSet[str] = frozenset()
    found: Mapping[str, str] = field(default_factory=dict)

    def reason(self, node: onnx.NodeProto) -> Optional[str]:
        """Why the node stays in floating point; None where nothing is against INT8."""
        if label(node) in self.found:
            return self.found[label(node)]
        if node.op_type in self.op_types:
            return "operators of type {} are excluded".format(node.op_type)
        for pattern in self.nodes:
            if _matches(pattern, label(node)):
                return "excluded by {!r}".format(pattern)
        return None


def exclusions_for(nodes: Sequence[onnx.NodeProto], names: Sequence[str], op_types: Sequence[str]) -> Exclusions:
    """Exclusions that each apply to some node; BadRequestError names the ones that do not, with what comes near."""
    labels = [label(node) for node in nodes]
    for pattern in names:
        if not any(_matches(pattern, known) for known in labels):
            raise _unknown("node", pattern, labels)
    known_types = sorted({node.op_type for node in nodes})
    for op_type in op_types:
        if op_type not in known_types:
            raise _unknown("operator type", op_type, known_types)
    return Exclusions(nodes=tuple(names), op_types=frozenset(op_types))


def _matches(pattern: str, name: str) -> bool:
    # Exact first: names may hold brackets, which a glob would read as a set of characters.
    return pattern == name or fnmatchcase(name, pattern)


def _unknown(what: str, wanted: str, known: Sequence[str]) -> BadRequestError:
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    return BadRequestError(
        "the model has no {} {!r} to exclude".format(what, wanted),
        cause="near to it are: " + ", ".join(near) if near else None,
        remedy="use a name of the model, or a glob such as '/encoder/*'",
    )
