"""How scales are come by: what shares of the data show, the table that is made of them, the best of several."""

from __future__ import annotations

from typing import Any

from trtfarm import actions
from trtfarm.accuracy import drop
from trtfarm.candidates import best, trial_of
from trtfarm.database.schema import ObservationRow, VerificationRow
from trtfarm.errors import NotFoundError
from trtfarm.submissions.works.engines import wanted_of
from trtfarm.submissions.works.models import content_of
from trtfarm.submissions.works.ready_step import ReadyStep
from trtfarm.submissions.works.work import Work


def observe(ready: ReadyStep) -> Work:
    model, dataset, share = ready.model, ready.data, ready.step.share
    if share is None:
        raise NotFoundError(f"step {ready.step.name} names no share of the data")
    batch_size = ready.request.rules[0].batch_size
    samples = share.samples(dataset.samples, batch_size)
    needs = ready.step.needs
    bases = ready.row(ObservationRow, _observation_id(ready, needs[0])) if needs else None
    return Work(
        action=actions.observe(
            model=model.digest,
            dataset=dataset.digest,
            statistic=share.statistic,
            batch_size=batch_size,
            samples=samples,
            bases=bases.blob if bases else None,
        ),
        request={
            "model_id": model.id,
            "dataset_id": dataset.id,
            "statistic": share.statistic,
            "batch_size": batch_size,
            "samples": list(samples),
            "bases_id": bases.id if bases else None,
        },
    )


def calibrate(ready: ReadyStep) -> Work:
    """Of shares, the table that is made of what was observed of them; its key is that of a table made in one piece."""
    model, dataset, step, target = ready.model, ready.data, ready.step, ready.request.calibrate_on
    if step.rule is None:
        raise NotFoundError("the submission names no calibrator")
    place = {"tensorrt": target.tensorrt, "compute_capability": target.compute_capability} if target else {}
    return Work(
        action=actions.calibrate(model=model.digest, dataset=dataset.digest, rule=step.rule, **place),
        request={
            "model_id": model.id,
            "dataset_id": dataset.id,
            "rule": step.rule.as_dict(),
            **({"observations": [_observation_id(ready, need) for need in step.needs]} if step.needs else {}),
            **({**vars(target), "timing_cache": ready.request.timing_cache} if target else {}),
            **_along(ready),
        },
    )


def choose(ready: ReadyStep) -> Work:
    results = ready.results
    trials = [trial_of(rule) for rule in ready.request.candidates]
    checks = [ready.row(VerificationRow, results[trial.verify]["verification_id"]) for trial in trials]
    drops = [drop(check.metrics) for check in checks]
    return Work(
        action=actions.choose(verifications=[check.key for check in checks]),
        request={},
        result={"table_id": results[trials[best(drops)].calibrate]["table_id"]},
    )


def _observation_id(ready: ReadyStep, step: str) -> str | None:
    """The statistics that a step gave; None where it has none, because the table was there without them."""
    return ready.results.get(step, {}).get("observation_id")


def _along(ready: ReadyStep) -> dict[str, Any]:
    """The build that the calibration's job does in the same go, if it can: its key lacks only the table's part."""
    target = ready.request.in_one_go()
    if target is None:
        return {}
    model, wanted = ready.model, wanted_of(ready.request, target)
    fields = actions.build(**content_of(model, None), **wanted).fields
    return {"along": {"fields": dict(fields), "request": {"model_id": model.id, "quantization_id": None, **wanted}}}
