"""`python -m benchmarks [name …]`: runs the named benchmarks, or all of them."""

from __future__ import annotations

import importlib
import sys

#: Modules of this package with a function `run() -> None` that prints what it measured.
BENCHMARKS = (
    "reference_calibrator",
    "sharded_calibration",
    "commands",
    "claims",
    "engine_queries",
    "farm_throughput",
    "blob_transfer",
    "polygraphy_peer",
)


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
