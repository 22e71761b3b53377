"""Nodes that a user names to leave them in floating point, looked up before anything runs.

The builder's steps look them up again, by the same rules, in the very model that they change.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from trtfarm.errors import UsageError
from trtfarm.models.summary import ModelSummary


def check_named(summary: ModelSummary, names: Sequence[str], op_types: Sequence[str]) -> None:
    """Raises UsageError for a name, glob or operator type that no node of the model's main graph has.

    A node without a name goes by its first output.
    """
    labels, known = [node.label for node in summary.graph_nodes], {node.op_type for node in summary.graph_nodes}
    for pattern in names:
        # Exact first: names may hold brackets, which a glob would read as a set of characters.
        if pattern not in labels and not any(fnmatchcase(label, pattern) for label in labels):
            raise _unknown("node", pattern, labels)
    for op_type in op_types:
        if op_type not in known:
            raise _unknown("operator type", op_type, sorted(known))


def _unknown(what: str, wanted: str, known: Sequence[str]) -> UsageError:
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    return UsageError(
        f"the model has no {what} {wanted!r}",
        cause="near to it are: " + ", ".join(near) if near else None,
        remedy="use a name of the model, or a glob such as '/encoder/*'",
    )
