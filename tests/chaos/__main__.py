"""`make chaos`: a farm of real processes that are killed while clients submit, and a look at what is left of it.

Its last line says all: `jobs N done N lost 0 duplicated 0 corrupt 0 kills K seconds S`; the exit code is 1 where it
does not say so. What was done when is in `history.jsonl` in the folder, which is kept after a failure.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.worker.words import say
from tests.chaos.brokers import BROKERS, installed
from tests.chaos.campaign import Campaign, Size
from tests.chaos.checks import Verdict
from tests.chaos.rules import gone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200, help="different jobs that are submitted at least")
    parser.add_argument("--seconds", type=float, default=240.0, help="how long the troubles last")
    parser.add_argument("--kills", type=int, default=80, help="processes that are killed or stopped")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--broker", choices=sorted(BROKERS), default="redis")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    options = vars(parser.parse_args())
    keep = options.pop("keep")
    if not installed(options["broker"]):
        parser.error(f"there is no {options['broker']}: apt-get install {options['broker']}-server")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user where this is root
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends what was started
    begun = time.monotonic()
    campaign = Campaign(folder, Size(**options), say)
    verdict = campaign.run()
    for word in ("lost", "duplicated", "corrupt", "broken"):
        for told in getattr(verdict, word):
            say(f"{word}: {told}")
    for trouble, times in sorted(campaign.troubles().items()):
        say(f"{trouble}: {times}")
    say(f"rows that clean-up took: {len(gone(campaign.seen))}")
    say(f"results of attempts that came too late, and were refused: {campaign.stack.refused()}")
    for trouble in sorted(campaign.left_out):
        say(f"{trouble}: not done, there was nothing to do it to")
    if keep or not verdict.good:
        say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    say(line_of(verdict, campaign.kills, time.monotonic() - begun))
    sys.exit(0 if verdict.good else 1)


def line_of(verdict: Verdict, kills: int, seconds: float) -> str:
    counts = f"lost {len(verdict.lost)} duplicated {len(verdict.duplicated)} corrupt {len(verdict.corrupt)}"
    return f"jobs {verdict.jobs} done {verdict.done} {counts} kills {kills} seconds {seconds:.0f}"


if __name__ == "__main__":
    main()
