"""What a model's row says that submissions need: it never changes and is never removed, so that it is read once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from trtfarm.database.inputs import ModelRow
from trtfarm.database.named_rows import row
from trtfarm.database.session import UNCHANGING

#: A process that has seen so many models begins anew.
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """As in `ModelRow`."""

    id: str
    digest: str
    blob: str
    weights_blob: str | None
    #: Bytes, weights included.
    size: int


def model_facts(session: Session, model_id: str) -> ModelFacts:
    """Raises NotFoundError."""
    known: dict[str, ModelFacts] = session.info[UNCHANGING]
    if model_id in known:
        return known[model_id]
    model = row(session, ModelRow, model_id)
    facts = ModelFacts(
        id=model.id, digest=model.digest, blob=model.blob, weights_blob=model.weights_blob, size=model.size
    )
    if len(known) >= _MOST:
        known.clear()
    known[model_id] = facts
    return facts
