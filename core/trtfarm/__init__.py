"""trtfarm: calibrate an ONNX model once, build INT8 engines for every GPU, keep and find them again."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtfarm_client import Ask as Ask
    from trtfarm_client import AskedRule as AskedRule
    from trtfarm_client import AskedTarget as AskedTarget
    from trtfarm_client import AsyncFarm as AsyncFarm
    from trtfarm_client import Farm as Farm

__version__ = "0.1.0"

#: What speaks to a farm over HTTP is a package above this one, which is imported only by those who ask for it here.
_CLIENT = "trtfarm_client"
_OF_CLIENT = ("Ask", "AskedRule", "AskedTarget", "AsyncFarm", "Farm")


def __getattr__(name: str) -> Any:
    if name in _OF_CLIENT:
        return getattr(importlib.import_module(_CLIENT), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_OF_CLIENT])
