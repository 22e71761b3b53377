"""What a TensorRT can do on each model of GPU here: tried on one of each, for it may know some and not others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from trtfarm.errors import BuilderError, ToolchainError
from trtfarm_worker.gpus.gpu import Gpu
from trtfarm_worker.gpus.health import unusable
from trtfarm_worker.gpus.keeper import GpuKeeper
from trtfarm_worker.gpus.turns import Turn
from trtfarm_worker.gpus.waiting import turn_on
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain

#: Asks a toolchain for its version and capabilities, on a GPU or without one. Raises BuilderError, ToolchainError.
Ask = Callable[[Turn | None], tuple[str, Capabilities]]


def tried_on_gpus(
    toolchain: Toolchain, keeper: GpuKeeper, ask: Ask, *, tell: Callable[[str], None], again: bool
) -> Toolchain:
    """The toolchain with what it can do on the GPUs here; a model that is known already is tried anew with `again`.

    Raises BuilderError or ToolchainError where it does not work at all.
    """
    models = dict.fromkeys(gpu.model for gpu in keeper.gpus if unusable(gpu) is None)
    if not models:
        version, can = ask(None)
        lacking = {**can.lacking, "gpu": _why_none(keeper)}
        return replace(toolchain, version=version, capabilities=replace(can, lacking=lacking), trials={}, broken=None)
    trials = {} if again else dict(toolchain.trials)
    version, errors = toolchain.version, []
    for model in models.keys() - trials.keys():
        try:
            version, trials[model] = _tried(keeper, model, ask, tell)
        except (ToolchainError, BuilderError) as error:
            errors.append(error)
            trials[model] = Capabilities(lacking={"gpu": f"{model}: {error.message}"})
    if len(errors) == len(models):
        raise errors[0]
    here = merged(trials[model] for model in models)
    return replace(toolchain, version=version, capabilities=here, trials=trials, broken=None)


def untried(toolchain: Toolchain, keeper: GpuKeeper) -> list[str]:
    """Models of GPU here that a toolchain was not tried on, with the driver that they have now."""
    return sorted({gpu.model for gpu in keeper.gpus if unusable(gpu) is None} - toolchain.trials.keys())


def merged(trials: Iterable[Capabilities]) -> Capabilities:
    """What can be done on a host with all these; what only some models lack is an exception of theirs."""
    found = list(trials)
    precisions = list(dict.fromkeys(word for can in found for word in can.precisions))
    reasons = {word: reason for can in found for word, reason in can.lacking.items()}
    return Capabilities(
        compute_capabilities=tuple(sorted({target for can in found for target in can.compute_capabilities})),
        precisions=tuple(precisions),
        calibrators=tuple(dict.fromkeys(rule for can in found for rule in can.calibrators)),
        lacking={word: reason for word, reason in reasons.items() if all(word in can.lacking for can in found)},
        exceptions={word: lacks for word in precisions if (lacks := _exceptions(found, word))},
    )


def _exceptions(trials: Iterable[Capabilities], precision: str) -> Mapping[str, str]:
    able = {target for can in trials if precision in can.precisions for target in can.compute_capabilities}
    return {
        str(target): can.lacking.get(precision, "TensorRT has it for other GPUs alone")
        for can in trials
        for target in can.compute_capabilities
        if target not in able
    }


def _tried(keeper: GpuKeeper, model: str, ask: Ask, tell: Callable[[str], None]) -> tuple[str, Capabilities]:
    with turn_on(keeper, partial(_is_model, model), f"a GPU ({model})", tell=tell) as held:
        return ask(held.turn)


def _is_model(model: str, gpu: Gpu) -> bool:
    return gpu.model == model and unusable(gpu) is None


def _why_none(keeper: GpuKeeper) -> str:
    return keeper.reason or "; ".join(f"{gpu.name}: {unusable(gpu)}" for gpu in keeper.gpus)
