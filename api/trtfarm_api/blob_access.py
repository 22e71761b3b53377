"""Bytes are for those who handed them in, or who see what they are the file of: to know a digest is not enough."""

from __future__ import annotations

from collections.abc import Iterable

from trtfarm.catalog.visibility import granted, sees_blob
from trtfarm.errors import NotFoundError
from trtfarm.farm import Farm
from trtfarm_api.access import Actor


def check_blobs(farm: Farm, actor: Actor, digests: Iterable[str]) -> None:
    """Raises NotFoundError, also for another project's: the farm lost nothing, whatever a client says that there is."""
    with farm.database.read() as session:
        for digest in digests:
            if not sees_blob(session, digest, actor.sees) or farm.blobs.size(digest) is None:
                raise NotFoundError(f"there are no bytes {digest}", remedy="upload them first")


def unknown_to(farm: Farm, actor: Actor, digests: Iterable[str]) -> set[str]:
    """Those that an actor's project never handed in, which it has to do although they may be there."""
    if actor.sees is None:
        return set()
    wanted = set(digests)
    with farm.database.read() as session:
        return wanted - granted(session, actor.sees, wanted)
