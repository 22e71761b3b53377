"""Bundles asked for and handed in: each function makes the request for one route of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from trtfarm_client.call import Call
from trtfarm_client.calls import facts, post
from trtfarm_client.link import compact

Facts = dict[str, Any]


def export(
    engines: Sequence[str],
    tables: Sequence[str],
    *,
    model: str | None,
    label: str | None,
    with_models: bool,
    with_recordings: bool,
) -> str:
    """The path of a download."""
    along = {"with_models": with_models, "with_recordings": with_recordings}
    words = compact({"model": model, "label": label}) | {name: "true" for name, wanted in along.items() if wanted}
    asked = urlencode({"engine": list(engines), "table": list(tables), **words}, doseq=True)
    return f"/v1/bundles?{asked}"


def import_(blob: str, *, labels: bool) -> Call[Facts]:
    return post("/v1/bundles", {"blob": blob, "labels": labels}, facts)


def judge_head(blob: str) -> Call[Facts]:
    return post("/v1/bundles", {"blob": blob, "head": True, "dry_run": True}, facts)
