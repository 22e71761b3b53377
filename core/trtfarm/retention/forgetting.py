"""Forgetting tables and data sets, with what was made of them on the way and no engine needs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from trtfarm.blobs.naming import arrays_blobs
from trtfarm.database.batches import batches
from trtfarm.database.schema import DatasetRow, ObservationRow, QuantizationRow, RecordingRow, TableRow, VerificationRow


def forget_tables(session: Session, ids: Sequence[str]) -> set[str]:
    """Deletes tables, the models that were rewritten with them, and what was measured of these; returns their blobs.

    No engine may be left that was made of any of them.
    """
    files: set[str] = set()
    for some in batches(ids):
        rewritten = list(session.scalars(select(QuantizationRow.id).where(QuantizationRow.table_id.in_(some))))
        for few in batches(rewritten):
            files.update(session.scalars(select(QuantizationRow.blob).where(QuantizationRow.id.in_(few))))
            session.execute(delete(VerificationRow).where(VerificationRow.quantization_id.in_(few)))
            session.execute(delete(QuantizationRow).where(QuantizationRow.id.in_(few)))
        files.update(session.scalars(select(TableRow.blob).where(TableRow.id.in_(some))))
    # Those that were made from others go first.
    for table_id in ids:
        session.execute(delete(TableRow).where(TableRow.id == table_id))
    return files


def forget_datasets(session: Session, ids: Sequence[str]) -> set[str]:
    """Deletes data sets, and what was recorded and measured on them; returns the blobs that they named."""
    files: set[str] = set()
    for some in batches(ids):
        for outputs in session.scalars(select(RecordingRow.outputs).where(RecordingRow.dataset_id.in_(some))):
            files.update(arrays_blobs(outputs))
        for row in session.execute(select(DatasetRow.inputs, DatasetRow.labels).where(DatasetRow.id.in_(some))):
            files.update(digest for arrays in row for digest in arrays_blobs(arrays))
        files.update(session.scalars(select(ObservationRow.blob).where(ObservationRow.dataset_id.in_(some))))
        session.execute(delete(ObservationRow).where(ObservationRow.dataset_id.in_(some)))
        session.execute(delete(RecordingRow).where(RecordingRow.dataset_id.in_(some)))
        session.execute(delete(VerificationRow).where(VerificationRow.dataset_id.in_(some)))
        session.execute(delete(DatasetRow).where(DatasetRow.id.in_(some)))
    return files
