from __future__ import annotations

from tests.contracts.gpu_submissions import GpuSubmissionContract


class TestGpuSubmissionsOnPostgresql(GpuSubmissionContract):
    pass
