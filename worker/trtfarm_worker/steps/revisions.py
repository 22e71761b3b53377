"""Whether the builder follows the rules that the key of a job stands for."""

from __future__ import annotations

from trtfarm.errors import BuilderCrashError


def check_revision(what: str, found: int, expected: int) -> None:
    """Raises BuilderCrashError where `what` answered by rules of another revision than the farm's."""
    if found != expected:
        raise BuilderCrashError(
            f"{what} follows rules of revision {found}, not {expected}",
            cause="worker and builder are of different releases",
            remedy="install one release of trtfarm on this worker",
        )
