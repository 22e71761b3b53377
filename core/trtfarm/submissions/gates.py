"""The accuracy gate of a submission: what was measured against what it allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from trtfarm.accuracy import check_gate
from trtfarm.actions import ActionKind
from trtfarm.database.named_rows import row
from trtfarm.database.schema import VerificationRow
from trtfarm.errors import GateError, NotFoundError, TrtfarmError
from trtfarm.submission_request import SubmissionRequest

_GATED = frozenset({ActionKind.VERIFY, ActionKind.MEASURE})


def gate_error(
    session: Session, request: SubmissionRequest, step: str, kind: ActionKind, result: Mapping[str, Any] | None
) -> TrtfarmError | None:
    """Why a step that verified, or measured an engine, does not pass the gate; None where it does or has none.

    What is only compared with others has none: the best of them is verified again.
    """
    if kind not in _GATED or request.max_drop is None or result is None or request.compares(step):
        return None
    try:
        metrics = row(session, VerificationRow, result["verification_id"]).metrics
        check_gate(metrics, request.max_drop, precision=request.precision)
    except (GateError, NotFoundError) as error:
        return error
    return None
