"""Calibration in shards on this host alone, without a farm: each share in a builder of its own, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trtfarm.calibrators import CalibrationRule
from trtfarm.scratch import temporary_folder
from trtfarm.settings import Settings
from trtfarm.shards import Share, bases_of, shares_of
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.direct import reference_request

#: Hears what the builders say, of the share that it is called with, or of none; in threads of their own.
Hear = Callable[[Share | None, Progress | LogLine], None]
#: What statistics are of: without a farm, of the model and the data at hand.
_CONTENT: dict[str, str] = {}


def calibrate_in_shards(
    settings: Settings, args: Mapping[str, Any], rule: CalibrationRule, *, shards: int, samples: int, hear: Hear
) -> Mapping[str, Any]:
    """What the builder's step `calibrate` answers for the same `model` and `inputs`, from so many shares of `samples`.

    As many are observed at a time as the settings have slots for jobs. The first failure ends them all.
    """
    shares = shares_of(rule, shards)
    bases = next(filter(None, map(bases_of, shares)), None)
    with temporary_folder() as folder, ThreadPoolExecutor(settings.slots, thread_name_prefix="share") as pool:
        team = _Team(settings, args, rule, samples, folder, CancelToken(), hear)
        try:
            # Begun before those that wait for it, so that it never waits for them.
            found = pool.submit(team.observe, bases, None) if bases else None
            futures = [pool.submit(team.observe, share, found if bases_of(share) else None) for share in shares]
            ended, _ = wait([*futures, *([found] if found else [])], return_when=FIRST_EXCEPTION)
            for future in ended:
                future.result()
            return team.merge([future.result() for future in futures])
        except BaseException:
            team.token.cancel()  # the pool waits for its builders, which end at once
            raise


@dataclass(frozen=True)
class _Team:
    """The builders; threads share it."""

    settings: Settings
    args: Mapping[str, Any]
    rule: CalibrationRule
    samples: int
    folder: Path
    token: CancelToken
    hear: Hear

    def observe(self, share: Share, bases: Future[str] | None) -> str:
        """The file of what was observed."""
        args = {
            "model": self.args["model"],
            "inputs": self.args["inputs"],
            "statistic": share.statistic,
            "batch_size": self.rule.batch_size,
            "samples": share.samples(self.samples, self.rule.batch_size),
            "content": _CONTENT,
            **({"bases": bases.result()} if bases else {}),
        }
        return str(self._run("observe", args, share).file("statistics"))

    def merge(self, statistics: list[str]) -> Mapping[str, Any]:
        args = {"statistics": statistics, "rule": self.rule.as_dict(), "samples": self.samples, "content": _CONTENT}
        return self._run("merge", args, None).result

    def _run(self, step: str, args: Mapping[str, Any], share: Share | None) -> BuilderAnswer:
        scratch = self.folder / (share.step.replace("/", "-of-") if share else step)
        request = reference_request(self.settings, step, args, scratch)
        return run_builder(request, on_event=partial(self.hear, share), should_stop=self.token)
