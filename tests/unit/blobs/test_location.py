from __future__ import annotations

from pathlib import Path

import pytest

from trtfarm.blobs.location import store_at
from trtfarm.errors import UsageError


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_named_by_path_or_url(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "with space"
    store = store_at(form.format(folder))
    assert not folder.exists()
    store.put_bytes(b"engine")
    assert (folder / "sha256").is_dir()


def test_a_percent_sign_in_a_url_is_decoded(tmp_path: Path) -> None:
    store_at(f"file://{tmp_path}/with%20space").put_bytes(b"engine")
    assert (tmp_path / "with space" / "sha256").is_dir()


@pytest.mark.parametrize("location", ["ftp://host/folder", "s3://", "blobs", "s3:/bucket", "file://srv/blobs"])
def test_other_places_are_refused(location: str) -> None:
    with pytest.raises(UsageError):
        store_at(location)


def test_a_bucket_is_not_reached_for_before_it_is_needed() -> None:
    assert store_at("s3://bucket/farm") is not None
