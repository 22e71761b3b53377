"""The token arrays belong to the sentences beside them; the vocabulary itself is not in the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[3] / "calib_data" / "minilm"
SENTENCES = (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()
CLS, SEP = 101, 102
VOCABULARY = 30_522

PARTS = [
    pytest.param(FOLDER, SENTENCES[:200], id="calibration"),
    pytest.param(FOLDER / "test", SENTENCES[200:], id="test"),
]


@pytest.mark.parametrize(("folder", "sentences"), PARTS)
def test_arrays_hold_one_padded_row_for_each_sentence(folder: Path, sentences: list[str]) -> None:
    ids, mask = np.load(folder / "input_ids.npy"), np.load(folder / "attention_mask.npy")
    assert ids.dtype == mask.dtype == np.int64
    assert ids.shape == mask.shape == (len(sentences), 64)
    lengths = mask.sum(1)
    assert np.array_equal(mask, np.arange(64) < lengths[:, None])
    assert not ids[mask == 0].any()
    assert (ids[:, 0] == CLS).all()
    assert (ids[np.arange(len(ids)), lengths - 1] == SEP).all()
    assert ids.max() < VOCABULARY


@pytest.mark.parametrize(("folder", "sentences"), PARTS)
def test_rows_are_as_long_as_their_sentences_need(folder: Path, sentences: list[str]) -> None:
    pieces = np.load(folder / "attention_mask.npy").sum(1) - 2
    words = np.array([len(sentence.split()) for sentence in sentences])
    # A word is one piece or more, a full row was cut.
    assert ((pieces >= words) | (pieces == 62)).all()
    assert np.corrcoef(pieces, words)[0, 1] > 0.95


def test_no_sentence_is_in_both_parts() -> None:
    assert len(SENTENCES) == len(set(SENTENCES)) == 256
