"""What commands load before they answer: imports are most of the time that a quick one takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.acceptance.cli.conftest import Stocked
from tests.acceptance.cli.program import Program

#: Whatever computes, migrates, builds or talks to others: a hit does none of it.
_HEAVY = {
    "numpy",
    "alembic",
    "onnx",
    "onnxruntime",
    "celery",
    "cryptography",
    "kombu",
    "rich",
    "structlog",
    "trtfarm_builder",
}


def _loaded(program: Program, *arguments: str | Path) -> set[str]:
    """The packages that a command loads."""
    lines = replace(program, forks=None).ok(*arguments, PYTHONPROFILEIMPORTTIME="1").err.splitlines()
    modules = {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}
    assert "trtfarm_cli.main" in modules
    return {module.partition(".")[0] for module in modules}


def test_a_hit_loads_nothing_that_only_work_needs(own_stock: Stocked, digits: Path) -> None:
    assert _loaded(own_stock.program, "submit", digits / "lenet.onnx") & _HEAVY == set()


def test_help_loads_no_database(program: Program) -> None:
    assert _loaded(program, "--help") & {*_HEAVY, "obstore", "sqlalchemy"} == set()
