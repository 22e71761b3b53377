"""Jobs for `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtfarm.jobs.job import Job


def plain(job: Job, model: str | None) -> dict[str, Any]:
    """A job with the name of its model, in `what` what it is about, in `seconds` how long it ran."""
    return {
        **asdict(job),
        "model": model,
        "what": _what(job.request),
        "seconds": (job.finished - job.started).total_seconds() if job.finished and job.started else None,
    }


def model_id_of(job: Job) -> str:
    return str(job.request.get("model_id"))


def _what(request: Mapping[str, Any]) -> str:
    words = [request.get(name) for name in ("precision", "compute_capability", "toolchain", "tensorrt")]
    rule, shards = request.get("rule") or {}, len(request.get("observations", ()))
    merged = f"of {shards} shards" if shards else None
    return " ".join(str(word) for word in [rule.get("calibrator"), merged, *_observed(request), *words] if word)


def _observed(request: Mapping[str, Any]) -> list[str]:
    """Which share of the data an observation is of, and what is observed."""
    if "statistic" not in request:
        return []
    start, stop = request["samples"]
    return [request["statistic"], f"of samples {start} to {stop - 1}"]
