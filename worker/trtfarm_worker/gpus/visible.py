"""Which of a host's GPUs a process was given, by the variable that CUDA's programs heed; pure."""

from __future__ import annotations

from collections.abc import Sequence

from trtfarm_worker.gpus.gpu import Gpu


def visible(gpus: Sequence[Gpu], text: str | None) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES names, in its order; all of them where it is not set.

    It holds UUIDs, which may be cut short, or numbers. As in CUDA, the first that means nothing ends the list. Numbers
    are taken in the order of slots, which is CUDA's own where all GPUs are alike (or CUDA_DEVICE_ORDER=PCI_BUS_ID).
    """
    if text is None:
        return list(gpus)
    named: list[Gpu] = []
    for part in text.split(","):
        found = _named(gpus, part.strip())
        if found is None or found in named:
            break
        named.append(found)
    return named


def _named(gpus: Sequence[Gpu], word: str) -> Gpu | None:
    if word.isdecimal():
        return gpus[int(word)] if int(word) < len(gpus) else None
    matching = [gpu for gpu in gpus if word and gpu.uuid.startswith(word)]
    return matching[0] if len(matching) == 1 else None
