from __future__ import annotations

from tests.contracts.sharded_submissions import ShardedSubmissionContract


class TestShardedSubmissionsOnPostgresql(ShardedSubmissionContract):
    pass
