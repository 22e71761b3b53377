"""Images as calibration data, decoded by a real builder process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.datasets.samples import model_with
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.locate import locate
from trtfarm.datasets.prepare import prepare
from trtfarm.errors import DataError
from trtfarm.models.model import Model
from trtfarm.settings import Settings
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.decoding import image_decoder

SPEC = """
[inputs.data]
path = "digits"
color = "gray"
divide = 255.0
"""


def _prepared(model: Model, folder: Path, told: list[Progress | LogLine]) -> DataSet:
    for name in ("out", "scratch"):
        (folder / name).mkdir()
    decode = image_decoder(Settings.from_environment({"TRTFARM_HOME": str(folder)}), folder / "scratch", told.append)
    source = locate(["d"], model, working_folder=folder)
    return prepare(source, model.summary.inputs, folder / "out", decode_images=decode)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return model_with(tmp_path, data=("float32", ("N", 1, 28, 28)))


def test_digits_as_images_are_the_digits(golden: Path, tmp_path: Path, model: Model) -> None:
    """The golden digits, written as PNG files and read back, are bit for bit the golden digits."""
    digits = np.load(golden / "lenet" / "calib.npy")
    (tmp_path / "d" / "digits").mkdir(parents=True)
    for index, digit in enumerate(np.rint(digits[:, 0] * 255).astype(np.uint8)):
        Image.fromarray(digit).save(tmp_path / "d" / "digits" / f"{index:03}.png")
    (tmp_path / "d" / "data.toml").write_text(SPEC)
    told: list[Progress | LogLine] = []
    data = _prepared(model, tmp_path, told)
    assert np.array_equal(np.load(data.inputs["data"].path), digits)
    assert Progress(stage="images", done=500, total=500, unit="images") in told


def test_a_truncated_image_is_named_and_nothing_is_left(tmp_path: Path, model: Model) -> None:
    (tmp_path / "d" / "digits").mkdir(parents=True)
    path = tmp_path / "d" / "digits" / "broken.png"
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:50])
    (tmp_path / "d" / "data.toml").write_text(SPEC)
    with pytest.raises(DataError, match=r"broken\.png cannot be decoded"):
        _prepared(model, tmp_path, [])
    assert list((tmp_path / "out").iterdir()) == []
