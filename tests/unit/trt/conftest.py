"""TensorRT's modules under the names that its bindings had in several releases.

The bindings themselves need NVIDIA's libraries and a GPU. What `names/` records was read off them, so option by option
the code can be held to what there is: which names exist, not what TensorRT does with them.
"""

from __future__ import annotations

import enum
import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_NAMES = Path(__file__).parent / "names"
VERSIONS = sorted(path.stem for path in _NAMES.glob("*.json"))
_CHILD = "trtfarm_builder.trt"
_ENUMS = (
    "BuilderFlag",
    "NetworkDefinitionCreationFlag",
    "TacticSource",
    "MemoryPoolType",
    "TensorFormat",
    "DataType",
    "DeviceType",
    "HardwareCompatibilityLevel",
    "QuantizationFlag",
)


class RecordedConfig:
    """An IBuilderConfig that has a release's attributes and keeps what is set."""

    def __init__(self, trt: Any, attributes: list[str]) -> None:
        self.flags_set: list[str] = []
        self.flags_cleared: list[str] = []
        self.pools: dict[str, int] = {}
        self.sources = sum(1 << int(value) for value in trt.TacticSource)
        for name in attributes:
            if not hasattr(self, name):
                setattr(self, name, 0)

    def set_flag(self, flag: Any) -> None:
        self.flags_set.append(flag.name)

    def clear_flag(self, flag: Any) -> None:
        self.flags_cleared.append(flag.name)

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        self.pools[pool.name] = size

    def get_tactic_sources(self) -> int:
        return self.sources

    def set_tactic_sources(self, mask: int) -> bool:
        self.sources = mask
        return True


class Recorded:
    """The names of one release: `module` stands for `tensorrt`, `child` imports one of the child's modules upon it."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.names: dict[str, list[str]] = json.loads((_NAMES / f"{version}.json").read_text())
        self.module: Any = ModuleType("tensorrt")
        vars(self.module)["__version__"] = version
        for name in _ENUMS:
            if name in self.names:
                # Numbers differ between releases, and nothing here may depend on them.
                setattr(self.module, name, enum.IntEnum(name, self.names[name], start=0))
        for name in self.names["calibrators"]:
            setattr(self.module, name, type(name, (), {}))

    def config(self) -> RecordedConfig:
        return RecordedConfig(self.module, self.names["IBuilderConfig"])

    def child(self, name: str) -> Any:
        return importlib.import_module(f"{_CHILD}.{name}")


@contextmanager
def standing_in(version: str) -> Iterator[Recorded]:
    """A release; the child's modules are imported anew upon it."""
    made = Recorded(version)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tensorrt", made.module)
        before = {name: module for name, module in sys.modules.items() if name.startswith(_CHILD)}
        for name in before:
            del sys.modules[name]
        yield made
        for name in [name for name in sys.modules if name.startswith(_CHILD)]:
            del sys.modules[name]
        sys.modules.update(before)


@pytest.fixture(params=VERSIONS)
def recorded(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """Each release in turn."""
    with standing_in(request.param) as made:
        yield made


@pytest.fixture(params=[version for version in VERSIONS if Recorded(version).names["calibrators"]])
def with_calibrators(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """Each release that has calibrators."""
    with standing_in(request.param) as made:
        yield made
