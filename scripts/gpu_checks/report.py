"""The report of a run: report.json for programs, report.md for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.gpu_checks.check import Outcome

_LONG = 160


def write_report(folder: Path, facts: Mapping[str, Any], outcomes: Sequence[Outcome]) -> None:
    """Writes both files; called after every check, so that a run cut short has reported what it did."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {"facts": dict(facts), "checks": [asdict(outcome) for outcome in outcomes]}
    (folder / "report.json").write_text(json.dumps(data, indent=1))
    (folder / "report.md").write_text(as_markdown(facts, outcomes))


def as_markdown(facts: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    counts = {word: sum(outcome.status == word for outcome in outcomes) for word in ("pass", "fail", "skip")}
    lines = ["# GPU report", ""]
    lines += [f"* {name}: {value}" for name, value in facts.items()]
    lines += ["", f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped.", ""]
    lines += ["| check | result | seconds | what |", "|---|---|---|---|"]
    lines += [f"| {o.name} | {o.status} | {o.seconds:.1f} | {o.about} |" for o in outcomes]
    for outcome in outcomes:
        lines += ["", f"## {outcome.name}: {outcome.status}", ""]
        if outcome.text:
            lines += ["```", outcome.text, "```", ""]
        lines += [f"* {name}: {_shown(value)}" for name, value in outcome.numbers.items()]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    """One line; what is longer than a person reads is in report.json."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONG * 4 else text[: _LONG * 4] + " …"
