"""Whether a GPU is fit for a job, judged by what was read from it; pure."""

from __future__ import annotations

from trtfarm_worker.gpus.gpu import Gpu, Vitals

#: Bytes that may be missing after a job: the driver keeps some for itself.
SLACK_BYTES = 64 << 20
#: Xids that a faulty program causes on a sound GPU, by NVIDIA's list "Xid Errors": graphics exception, page fault,
#: channel stopped, clean-up after another error, video processor exception, context switch timeout.
_OF_PROGRAMS = frozenset({13, 31, 43, 45, 68, 109})


def unusable(gpu: Gpu) -> str | None:
    """Why the farm does not use such a GPU at all."""
    return "it is split into MIG instances, which trtfarm does not use" if gpu.mig else None


def ill(vitals: Vitals) -> str | None:
    """Why no result of this GPU can be trusted."""
    if vitals.uncorrected_errors:
        count = vitals.uncorrected_errors
        return f"{count} uncorrected memory error{'s' if count > 1 else ''} since the driver was loaded; reset the GPU"
    return None if vitals.repair is None else f"{vitals.repair}; reset the GPU"


def reason_of_xid(number: int) -> str | None:
    """What an Xid says against the GPU; None for those that programs cause."""
    return None if number in _OF_PROGRAMS else f"the driver reported Xid {number}; see dmesg, and reset the GPU"


def crowded(vitals: Vitals, needed_bytes: int) -> str | None:
    """Why there is no room for a job, and who takes it."""
    if vitals.free_bytes >= needed_bytes:
        return None
    who = ", ".join(map(str, vitals.holders)) or "a process that the driver does not name"
    return f"{vitals.free_bytes >> 20} MiB are free of the {needed_bytes >> 20} that a job needs; in use by {who}"


def missing(before: Vitals, after: Vitals) -> int:
    """Bytes that a job took and did not give back; 0 where another process may have them.

    Where the driver names no processes, as in some containers, memory that another one took meanwhile counts too.
    """
    grown = after.used_bytes - before.used_bytes
    newcomers = {holder.pid for holder in after.holders} - {holder.pid for holder in before.holders}
    return grown if grown > SLACK_BYTES and not newcomers else 0
