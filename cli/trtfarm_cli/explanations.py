"""Why a step was or would be done, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trtfarm_cli import output


def show_step(explanation: Mapping[str, Any]) -> None:
    """One step, as `Explanation.as_dict` gives it."""
    step, nearest = explanation["step"], explanation["nearest"]
    if explanation["spared"]:
        output.emit(f"{step}: left out, what it is for is there")
    elif explanation["hit"]:
        output.emit(f"{step}: hit, {', '.join(map(str, (explanation['result'] or {}).values()))}")
        if explanation["error"]:
            output.emit(f"  which does not pass the gate: {explanation['error']['message']}")
    elif explanation["skipped"]:
        output.emit(f"{step}: left out, a step that it needs fails")
    elif explanation["key"] is None:
        output.emit(f"{step}: not known before the steps that it needs have run")
    elif nearest is None:
        output.emit(f"{step}: miss, nothing of the kind is stored")
    elif not nearest["differs"]:
        output.emit(f"{step}: miss, {nearest['job_id']} did the same but its result is incomplete")
    else:
        output.emit(f"{step}: miss; the nearest is of {nearest['job_id']}, where")
        show_differences(nearest["differs"])
    if needs := explanation["needs"]:
        _show_place(needs, explanation["workers"])
    if explanation["waits"]:
        output.emit(f"  would wait: {explanation['waits']}")
    if explanation["reuse"]:
        output.emit(f"  from the table: {explanation['reuse']}")


def _show_place(needs: Mapping[str, Any], workers: Sequence[str]) -> None:
    """Where a step could run, if not on any worker that has the toolchain."""
    from trtfarm.requirements import Requirements
    from trtfarm.routing import Need

    requires = Requirements(labels=tuple(needs["labels"]), gpu_memory_gib=needs["gpu_memory_gib"])
    if requires != Requirements():
        output.emit(f"  needs {Need(needs['capability'], requires)}: {', '.join(workers) or 'no worker that is ready'}")


def show_differences(differs: Mapping[str, Sequence[Any]]) -> None:
    for field, (asked, stored) in differs.items():
        output.emit(f"  {field}: {_shown(asked)} was asked for, {_shown(stored)} is stored")


def _shown(value: Any) -> str:
    text = str(value)
    return output.short_digest(text) if text.startswith("sha256:") else text
