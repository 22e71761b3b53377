"""What importing costs, and what it must never bring in."""

from __future__ import annotations

import json
import subprocess
import sys

#: Native code that parses models and images or is TensorRT; only builder children load it.
NATIVE = {"PIL", "onnx", "onnxruntime", "tensorrt", "tensorrt_rtx", "tensorrt_lean", "tensorrt_dispatch", "cuda"}
#: What takes longer to import than most commands may take.
HEAVY = {
    "alembic",
    "celery",
    "cryptography",
    "httpx2",
    "kombu",
    "numpy",
    "obstore",
    "onnx",
    "onnxruntime",
    "PIL",
    "rich",
    "sqlalchemy",
}

_EVERY_MODULE = """
import importlib, pkgutil
for name in ("trtfarm", "trtfarm_worker", "trtfarm_cli", "trtfarm_api", "trtfarm_client"):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def imported_by(code: str) -> set[str]:
    """Names of all modules that are there after `code` has run in an interpreter of its own."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout))


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_nothing_but_the_builder_child_imports_native_parsers() -> None:
    modules = imported_by(_EVERY_MODULE)
    assert {"trtfarm.farm", "trtfarm_worker.runner", "trtfarm_worker.celery_worker", "trtfarm_cli.main"} <= modules
    assert packages(modules) & (NATIVE | {"trtfarm_builder"}) == set()


def test_help_pays_for_nothing_heavy() -> None:
    modules = imported_by("import trtfarm_cli.main")
    assert "trtfarm_cli.commands.submit" in modules
    assert packages(modules) & HEAVY == set()


def test_a_client_that_runs_its_jobs_itself_needs_no_celery() -> None:
    modules = packages(imported_by("import trtfarm.farm, trtfarm_worker.inline"))
    assert "sqlalchemy" in modules
    assert modules & {"alembic", "celery", "kombu", "numpy"} == set()
