from __future__ import annotations

import pytest
from obstore.store import LocalStore, MemoryStore, S3Store

from tests.contracts.blobs import ABSENT, BlobContract
from trtfarm.blobs.bucket import Bucket
from trtfarm.blobs.folder import Folder
from trtfarm.blobs.objects import ObjectStore
from trtfarm.blobs.store import BlobStore
from trtfarm.errors import StorageError


class TestBlobsInFolder(BlobContract):
    @pytest.fixture
    def objects(self, tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
        return Folder(tmp_path_factory.mktemp("folder") / "blobs")


class TestBlobsInBucket(BlobContract):
    """Through obstore, whose own stores stand for the clouds: the calls are the same."""

    @pytest.fixture(params=["memory", "files"])
    def objects(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
        if request.param == "memory":
            return Bucket(MemoryStore(), "memory:///")
        return Bucket(LocalStore(tmp_path_factory.mktemp("bucket")), "file:///")


def test_a_bucket_out_of_reach_is_said() -> None:
    unreachable = S3Store(
        "bucket",
        endpoint="http://127.0.0.1:9",
        access_key_id="id",
        secret_access_key="secret",  # noqa: S106 - nobody listens there
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    store = BlobStore(Bucket(unreachable, "s3://bucket"))
    for attempt in (store.read, store.size, lambda _digest: store.put_bytes(b"engine")):
        with pytest.raises(StorageError, match="s3://bucket"):
            attempt(ABSENT)
