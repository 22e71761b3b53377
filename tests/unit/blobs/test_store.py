from __future__ import annotations

import pytest
from obstore.store import MemoryStore, S3Store

from tests.contracts.blobs import ABSENT, BlobContract
from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import BlobStore
from trtfarm.errors import StorageError


class TestBlobsInFolder(BlobContract):
    @pytest.fixture
    def objects(self, tmp_path_factory: pytest.TempPathFactory) -> Objects:
        return Objects.in_folder(tmp_path_factory.mktemp("folder") / "blobs")


class TestBlobsInBucket(BlobContract):
    """obstore's own store in memory stands for the clouds: the calls are the same."""

    @pytest.fixture
    def objects(self) -> Objects:
        return Objects(MemoryStore, "memory:///")


def test_a_bucket_out_of_reach_is_said() -> None:
    unreachable = S3Store(
        "bucket",
        endpoint="http://127.0.0.1:9",
        access_key_id="id",
        secret_access_key="secret",  # noqa: S106 - nobody listens there
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    store = BlobStore(Objects(lambda: unreachable, "s3://bucket"))
    for attempt in (store.read, store.size, lambda _digest: store.put_bytes(b"engine")):
        with pytest.raises(StorageError, match="s3://bucket"):
            attempt(ABSENT)
