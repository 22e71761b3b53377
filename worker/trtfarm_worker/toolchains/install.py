"""New toolchains: installed by the farm, or added from an interpreter that is there already."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path

from trtfarm.errors import ToolchainError, UsageError
from trtfarm.regular_files import is_file
from trtfarm_worker.toolchains.probe import probed
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.spec import ToolchainSpec
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind
from trtfarm_worker.toolchains.uv import install_packages, make_environment

_UNFINISHED = ".installing-"
_RELEASE = re.compile(r"\d+(\.\d+)*")


def install_toolchain(
    spec: ToolchainSpec, *, registry: ToolchainRegistry, tell: Callable[[str], None], python: str | None = None
) -> Toolchain:
    """Makes an environment for `spec`, probes it and registers it; one that is there already is only probed again.

    `python` is a version or a path, as uv takes it. A toolchain that fails its probe is kept, marked as broken.
    Raises ToolchainError when it cannot be installed; nothing is left of it then.
    """
    with _only_installation(registry.folder):
        if spec.exact_name in _names(registry):
            return test_toolchain(spec.exact_name, registry=registry)
        with tempfile.TemporaryDirectory(dir=registry.folder, prefix=_UNFINISHED) as folder:
            made = Path(folder) / "environment"
            interpreter = make_environment(made, python=python or spec.default_python(), tell=tell)
            install_packages(interpreter, spec.requirements(), tell=tell)
            version = _installed_version(made, spec.distribution)
            name = f"{spec.kind}-{version}"
            if name in _names(registry):
                return test_toolchain(name, registry=registry)
            environment = registry.folder / name
            # What is not registered is left over from an installation that was killed.
            shutil.rmtree(environment, ignore_errors=True)
            made.rename(environment)
        try:
            return _kept(name, spec.kind, environment, version, registry)
        except BaseException:
            # A full disk, Ctrl-C: not the toolchain's fault, and nobody would find it again.
            shutil.rmtree(environment)
            raise


def _kept(name: str, kind: ToolchainKind, environment: Path, version: str, registry: ToolchainRegistry) -> Toolchain:
    python = environment / "bin" / "python"
    toolchain = probed(Toolchain(name=name, kind=kind, python=python, environment=environment, version=version))
    registry.put(toolchain)
    return toolchain


def _installed_version(environment: Path, distribution: str) -> str:
    """Version of an installed package, without a suffix such as `.post1`."""
    folders = [str(folder) for folder in environment.glob("lib/python*/site-packages")]
    versions = [found.version for found in distributions(name=distribution, path=folders)]
    match = _RELEASE.match(versions[0]) if versions else None
    if match is None:
        raise ToolchainError(f"uv installed no {distribution}", remedy="check the package index it was told to use")
    return match[0]


def add_toolchain(
    python: Path,
    *,
    registry: ToolchainRegistry,
    name: str | None = None,
    kind: ToolchainKind | None = None,
    library_path: Sequence[Path] = (),
    python_path: Sequence[Path] = (),
) -> Toolchain:
    """Registers an interpreter that has a TensorRT; of which kind is found out unless said.

    Raises UsageError for a path or name that cannot be used, and ToolchainError when the probe fails: nothing is kept.
    """
    # Not resolved: the interpreter of a virtual environment is a link.
    python = python.expanduser().absolute()
    if not is_file(str(python)) or not os.access(python, os.X_OK):
        raise UsageError(
            f"{python} is no program", remedy="give the path of a Python interpreter, such as …/bin/python"
        )
    kinds = [kind] if kind else [ToolchainKind.TENSORRT_RTX, ToolchainKind.TENSORRT]
    failures = []
    for candidate in kinds:
        toolchain = probed(
            Toolchain(
                name=name or candidate.value,
                kind=candidate,
                python=python,
                library_path=tuple(folder.expanduser().absolute() for folder in library_path),
                python_path=tuple(folder.expanduser().absolute() for folder in python_path),
            )
        )
        if toolchain.broken is None:
            return _added(replace(toolchain, name=name or f"{candidate}-{toolchain.version}"), registry)
        failures.append(f"as {candidate}: {toolchain.broken}")
    raise ToolchainError(
        f"{python} is no toolchain that works",
        cause="\n".join(failures),
        remedy="give the folders of missing libraries with --library-path, and of packages with --python-path",
    )


def test_toolchain(name: str, *, registry: ToolchainRegistry) -> Toolchain:
    """Probes a toolchain and keeps what came out."""
    toolchain = probed(registry.get(name))
    if toolchain.kind is not ToolchainKind.REFERENCE:
        registry.put(toolchain)
    return toolchain


def _added(toolchain: Toolchain, registry: ToolchainRegistry) -> Toolchain:
    if toolchain.name in _names(registry):
        raise UsageError(f"there is a toolchain {toolchain.name} already", remedy="give this one another --name")
    registry.put(toolchain)
    return toolchain


@contextmanager
def _only_installation(folder: Path) -> Iterator[None]:
    """Waits until no other process installs here, then removes what a killed one may have left."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.glob(_UNFINISHED + "*"):
            shutil.rmtree(leftover)
        yield


def _names(registry: ToolchainRegistry) -> set[str]:
    return {toolchain.name for toolchain in registry.toolchains()}
