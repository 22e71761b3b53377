"""A long campaign: every target with new examples, round after round, until time is up or one has failed.

What fails is kept in `.hypothesis` and tried first next time. One line at the end; exit code 1 if a target failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="no round is begun after so many")
    parser.add_argument("--only", metavar="WORD", help="targets whose names have this, as pytest's -k")
    options = parser.parse_args()
    begun = time.monotonic()
    rounds = failed = 0
    while not failed and time.monotonic() < begun + 60 * options.minutes:
        rounds += 1
        failed = _round(options.only)
    sys.stdout.write(f"rounds {rounds} failed {int(bool(failed))} seconds {time.monotonic() - begun:.0f}\n")
    return int(bool(failed))


def _round(only: str | None) -> int:
    how = ["-q", "--tb=short", "--hypothesis-profile=campaign", *(["-k", only] if only else [])]
    return subprocess.run([sys.executable, "-m", "pytest", str(FOLDER), *how], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
