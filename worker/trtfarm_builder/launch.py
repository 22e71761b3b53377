"""Starts the builder process as a script: `python -I launch.py <descriptor>`.

A toolchain's interpreter has no trtfarm_builder installed. Put on PYTHONPATH, the folder that holds this package would
bring everything beside it, which in an installed farm is all of the worker's site-packages; so this loads the one
package from where it lies. With `-I` neither the current folder (the scratch) nor the user's own packages are on the
path.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

_PACKAGE = "trtfarm_builder"


def load_package() -> None:
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, str(folder / "__init__.py"), submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError("no package in {}".format(folder))
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load_package()
    importlib.import_module("trtfarm_builder.__main__").answer_and_exit()
