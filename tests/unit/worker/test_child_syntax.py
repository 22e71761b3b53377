from __future__ import annotations

import ast
from pathlib import Path

import pytest

import trtfarm_worker

_PACKAGE = Path(trtfarm_worker.__file__).parents[1] / "trtfarm_builder"


@pytest.mark.parametrize("path", sorted(_PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_the_builder_parses_on_the_oldest_interpreter_of_a_toolchain(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))
