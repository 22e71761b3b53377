"""What a submission found out by itself, in words: which calibrator does best, and what a search left out of INT8."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trtfarm_cli import accuracy, output

_SHOWN = 5


def comparison_lines(facts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each calibrator, the best first; of equal ones in the order that decided."""
    for compared in sorted(
        facts, key=lambda item: (not item["chosen"], math.inf if item["drop"] is None else item["drop"])
    ):
        mark = "  chosen" if compared["chosen"] else ""
        lost = "not measured" if compared["drop"] is None else f"loses {output.exact_share(compared['drop'])}"
        yield f"{compared['calibrator']:<10}  {lost}, {accuracy.brief(compared['metrics'])}  {compared['table']}{mark}"


def search_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """How many nodes stay in floating point, which, and what that brings."""
    names = [item["node"] for item in facts["found"]]
    if not names:
        yield f"no node has to stay in float: {_lost(facts['before'])}"
        return
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    yield f"{output.counted(len(names), 'node')} in float, {', '.join(names[:_SHOWN])}{more}"
    yield (
        f"loss on the calibration data: {_lost(facts['before'])} with all nodes in INT8, "
        f"{_lost(facts['after'])} with these left"
    )


def _lost(measured: Mapping[str, Any]) -> str:
    return f"{output.exact_share(measured['loss'])} ({output.counted(measured['samples'], 'sample')})"
