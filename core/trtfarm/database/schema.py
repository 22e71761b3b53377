"""All tables. Importing this module fills `Base.metadata`, which the migrations must equal (a test compares them)."""

from __future__ import annotations

from trtfarm.database.access import AuditRow, GrantRow, TokenRow, UploadRow
from trtfarm.database.base import Base
from trtfarm.database.engines import EngineLabelRow, EngineRow, TimingCacheRow
from trtfarm.database.inputs import DatasetRow, ModelNameRow, ModelRow
from trtfarm.database.measurements import RecordingRow, VerificationRow
from trtfarm.database.scales import ObservationRow, QuantizationRow, TableRow
from trtfarm.database.storage import BlobRow, HolderRow
from trtfarm.database.work import EventRow, JobRow, ProjectRow, StepRow, SubmissionRow, WorkerRow

__all__ = [
    "AuditRow",
    "Base",
    "BlobRow",
    "DatasetRow",
    "EngineLabelRow",
    "EngineRow",
    "EventRow",
    "GrantRow",
    "HolderRow",
    "JobRow",
    "ModelNameRow",
    "ModelRow",
    "ObservationRow",
    "ProjectRow",
    "QuantizationRow",
    "RecordingRow",
    "StepRow",
    "SubmissionRow",
    "TableRow",
    "TimingCacheRow",
    "TokenRow",
    "UploadRow",
    "VerificationRow",
    "WorkerRow",
]
