"""Blobs in S3: the contract, and what its failures are told as."""

from __future__ import annotations

import time

import pytest

from tests.contracts.blobs import BlobContract
from tests.integration.servers.s3_server import S3Server
from trtfarm.blobs.location import store_at
from trtfarm.blobs.objects import Objects
from trtfarm.errors import StorageError


class TestBlobsOnS3(BlobContract):
    @pytest.fixture
    def objects(self, bucket: str) -> Objects:
        return Objects.at(f"{bucket}/folder")


def test_farms_in_one_bucket_do_not_see_each_other(bucket: str) -> None:
    one, other = store_at(f"{bucket}/one"), store_at(f"{bucket}/other")
    blob = one.put_bytes(b"engine")
    assert (one.has(blob), other.has(blob)) == (True, False)
    assert list(other.blobs()) == []


def test_a_key_that_the_store_does_not_know_is_told(s3: S3Server, bucket: str) -> None:
    s3.check_who_asks(checks=True)
    try:
        with pytest.raises(StorageError, match="cannot be read or written") as refused:
            store_at(bucket).put_bytes(b"engine")
    finally:
        s3.check_who_asks(checks=False)
    assert "403" in str(refused.value.cause)
    assert "allowed" in str(refused.value.remedy)


def test_a_bucket_that_is_not_there_is_told(bucket: str) -> None:
    with pytest.raises(StorageError) as absent:
        store_at(f"{bucket}-of-nobody").put_bytes(b"engine")
    assert "NoSuchBucket" in str(absent.value.cause)


def test_missing_keys_are_told_soon(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any, obstore asks the cloud that it might be in; where there is none, that must not take minutes."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    begun = time.monotonic()
    with pytest.raises(StorageError):
        store_at(bucket).put_bytes(b"engine")
    assert time.monotonic() - begun < 10
