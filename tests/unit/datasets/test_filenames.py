"""Input names as file names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trtfarm.datasets.filenames import LABELS_FILE, file_name_of, file_names_of


def test_examples() -> None:
    assert file_name_of("input_ids") == "input_ids.npy"
    assert file_names_of("x:0") == ("x%3A0.npy", "x:0.npy")
    assert file_names_of("encoder/ids") == ("encoder%2Fids.npy",)
    assert file_name_of("..") == "%2E..npy"
    assert file_name_of("") == ".npy"
    assert file_name_of("é b") == "%C3%A9%20b.npy"


@given(st.text(), st.text())
def test_safe_and_distinct(one: str, two: str) -> None:
    names = file_name_of(one), file_name_of(two)
    assert (names[0] == names[1]) == (one == two)
    assert all("/" not in name and "\0" not in name and len(name.encode()) <= 220 for name in names)
    assert LABELS_FILE not in names


@given(st.text(min_size=200))
def test_long_names_are_cut(name: str) -> None:
    assert len(file_name_of(name)) <= 180 + 17 + 4
    assert file_name_of(name) != file_name_of(name + "a")


@given(st.text())
def test_looked_for_names_stay_in_the_folder(name: str) -> None:
    assert all("/" not in found and "\0" not in found for found in file_names_of(name))
