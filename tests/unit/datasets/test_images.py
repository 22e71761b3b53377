"""Which images, in which order, and what is asked of the builder step that decodes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.datasets.samples import array, model_with, npy, tensor
from trtfarm.datasets import limits
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.held_out import held_out
from trtfarm.datasets.images import decode_request, images_of
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.locate import locate
from trtfarm.datasets.prepare import prepare
from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.datasets.sources import InputSource
from trtfarm.errors import DataError, UsageError
from trtfarm.models.model import Model
from trtfarm.models.summary import TensorType

SPEC = '[inputs.x]\npath = "photos"\ndivide = 255.0\n'
IMAGE = tensor(dims=("N", 3, 4, 4))


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return model_with(tmp_path, x=("float32", ("N", 3, 4, 4)))


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not decoded here")


def _names(path: Path) -> list[str]:
    return [file.path.name for file in images_of(DataFile(path=path)).files]


def _refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        images_of(DataFile(path=path))
    return str(caught.value)


def test_a_folder_is_read_by_name(tmp_path: Path) -> None:
    _touch(
        *(tmp_path / name for name in ("b.png", "a.JPG", "B.jpeg", "notes.txt", "a.npy")), tmp_path / "sub" / "c.png"
    )
    assert _names(tmp_path) == ["B.jpeg", "a.JPG", "b.png"]


def test_a_folder_without_images_or_with_links(tmp_path: Path) -> None:
    assert "has no images" in _refused(tmp_path)
    (tmp_path / "a.png").symlink_to("/etc/passwd")
    assert "not a link" in _refused(tmp_path)


def _list(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "list.txt"
    path.write_text(text)
    return path


def test_a_list_keeps_its_order_and_labels(tmp_path: Path) -> None:
    _touch(tmp_path / "b.png", tmp_path / "sub" / "a 1.png")
    path = _list(tmp_path, "# photos\n\n  ./sub/a 1.png\t3\nb.png 0\nb.png 12\n")
    listed = images_of(DataFile(path=path))
    assert [file.path.name for file in listed.files] == ["a 1.png", "b.png", "b.png"]
    assert listed.labels == (3, 0, 12)
    assert images_of(DataFile(path=_list(tmp_path, "b.png\n"))).labels is None


@pytest.mark.parametrize("line", ["/etc/passwd", "../b.png", "sub/../../b.png", "C:\\b.png", "a\0b.png"])
def test_lists_stay_in_their_folder(tmp_path: Path, line: str) -> None:
    assert "line 2 of" in _refused(_list(tmp_path, f"# first\n{line}\n"))


def test_lists_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path / "b.png")
    assert "labels on 1 of its 2 lines" in _refused(_list(tmp_path, "b.png 1\nb.png"))
    assert "has no images" in _refused(_list(tmp_path, ""))
    assert "cannot be read" in _refused(_list(tmp_path, "missing.png"))
    (tmp_path / "list.txt").write_bytes(b"\x89PNG\xff\xff")
    assert "neither an array nor a list" in _refused(tmp_path / "list.txt")
    monkeypatch.setattr(limits, "IMAGES", 2)
    assert "has 3 images" in _refused(_list(tmp_path, "b.png\n" * 3))
    monkeypatch.setattr(limits, "TEXT_BYTES", 10)
    assert "too long" in _refused(_list(tmp_path, "b.png\n" * 3))


def test_links_in_a_list(tmp_path: Path) -> None:
    _touch(tmp_path / "outside" / "b.png")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "sub").symlink_to("../outside")
    assert "not a link" in _refused(_list(tmp_path / "d", "sub/b.png"))


def _request(tmp_path: Path, wanted: TensorType, preprocessing: Preprocessing | None) -> dict[str, object]:
    _touch(tmp_path / "photos" / "a.png")
    entry = InputSource(kind=SourceKind.IMAGES, file=DataFile(path=tmp_path / "photos"), preprocessing=preprocessing)
    return decode_request(entry, wanted)


def test_the_request(tmp_path: Path) -> None:
    assert _request(tmp_path, IMAGE, Preprocessing(resize=8, crop=(4, 4), color="BGR", mean=(1.0,))) == {
        "images": [str(tmp_path / "photos" / "a.png")],
        "resize": 8,
        "filter": "bilinear",
        "crop": [4, 4],
        "color": "BGR",
        "layout": "NCHW",
        "exif_orientation": False,
        "size": [4, 4],
        "output": "images.npy",
    }
    last = _request(tmp_path, tensor(dims=("N", 5, 6, 3)), Preprocessing(resize=(5, 6), layout="NHWC"))
    assert (last["resize"], last["size"]) == ([5, 6], [5, 6])
    assert _request(tmp_path, tensor(dims=("N", 3, "h", "w")), Preprocessing())["size"] is None


def test_images_need_preprocessing_that_is_said(tmp_path: Path, model: Model) -> None:
    _touch(tmp_path / "photos" / "a.png")
    source = locate(["photos"], model, working_folder=tmp_path)
    with pytest.raises(DataError) as caught:
        prepare(source, model.summary.inputs, tmp_path)
    remedy = caught.value.remedy
    assert remedy is not None
    example = remedy.partition("\n")[2]
    (tmp_path / "data.toml").write_text(example)
    entry = locate(["data.toml"], model, working_folder=tmp_path).inputs["x"]
    assert entry.preprocessing == Preprocessing(resize=(4, 4), divide=255.0)
    assert entry.file.path == tmp_path / "photos"


def test_images_for_an_input_that_is_none(tmp_path: Path) -> None:
    for wanted in (tensor(dims=("N", 4)), TensorType(name="x", dtype="float32", dims=None)):
        with pytest.raises(DataError, match="images cannot become"):
            _request(tmp_path, wanted, Preprocessing())


@pytest.mark.parametrize(
    ("channels", "layout", "color", "remedy"),
    [
        (1, "NCHW", "RGB", 'write color = "gray"'),
        (3, "NHWC", "gray", 'write color = "RGB"'),
        (4, "NCHW", "RGB", ".npy"),
    ],
)
def test_images_of_other_channels_are_not_even_decoded(
    tmp_path: Path, channels: int, layout: str, color: str, remedy: str
) -> None:
    dims: tuple[int | str, ...] = ("N", channels, 4, 4) if layout == "NCHW" else ("N", 4, 4, channels)
    with pytest.raises(DataError, match="photos do not fit the model's input") as caught:
        _request(tmp_path, tensor(dims=dims), Preprocessing(layout=layout, color=color))
    assert remedy in str(caught.value.remedy)


def _decoder(
    folder: Path, *shape: int
) -> tuple[list[dict[str, object]], np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    pixels = (array(*shape) * 255).astype(np.uint8)
    npy(folder / "decoded.npy", pixels)
    return [], pixels


def test_decoded_pixels_go_through_the_arithmetic(tmp_path: Path, model: Model) -> None:
    _touch(tmp_path / "d" / "photos" / "a.png", tmp_path / "d" / "photos" / "b.png")
    (tmp_path / "d" / "data.toml").write_text(SPEC)
    asked, pixels = _decoder(tmp_path, 2, 3, 4, 4)

    def decode(request: dict[str, object]) -> Path:
        asked.append(request)
        return tmp_path / "decoded.npy"

    (tmp_path / "out").mkdir()
    source = locate(["d"], model, working_folder=tmp_path)
    data = prepare(source, model.summary.inputs, tmp_path / "out", decode_images=decode)
    assert np.array_equal(np.load(data.inputs["x"].path), pixels / np.float32(255))
    assert len(asked) == 1
    assert data.preprocessing == {"x": {"divide": 255.0}}


def test_pixels_as_they_are(tmp_path: Path, model: Model) -> None:
    _touch(tmp_path / "d" / "photos" / "a.png")
    (tmp_path / "d" / "data.toml").write_text('[inputs.x]\npath = "photos"')
    _, pixels = _decoder(tmp_path, 1, 3, 4, 4)
    (tmp_path / "out").mkdir()
    source = locate(["d"], model, working_folder=tmp_path)
    data = prepare(source, model.summary.inputs, tmp_path / "out", decode_images=lambda _: tmp_path / "decoded.npy")
    assert np.array_equal(np.load(data.inputs["x"].path), pixels.astype(np.float32))


def test_labels_come_from_the_list(tmp_path: Path, model: Model) -> None:
    _touch(tmp_path / "d" / "a.png")
    (tmp_path / "d" / "test.txt").write_text("a.png 3\na.png 4\n")
    (tmp_path / "d" / "data.toml").write_text('[inputs.x]\npath = "test.txt"')
    _decoder(tmp_path, 2, 3, 4, 4)
    source = locate(["d"], model, working_folder=tmp_path)
    for labels in (False, True):
        (tmp_path / f"out{labels}").mkdir()
        data = prepare(
            source,
            model.summary.inputs,
            tmp_path / f"out{labels}",
            decode_images=lambda _: tmp_path / "decoded.npy",
            labels=labels,
        )
        assert (data.labels is not None) is labels
    assert data.labels is not None
    assert np.load(data.labels.path).tolist() == [3, 4]


def test_test_images_are_preprocessed_alike(tmp_path: Path, model: Model) -> None:
    _touch(tmp_path / "d" / "photos" / "a.png", tmp_path / "d" / "test" / "photos" / "b.png", tmp_path / "t" / "c.png")
    (tmp_path / "d" / "data.toml").write_text(SPEC)
    source = locate(["d"], model, working_folder=tmp_path)
    beside = held_out(source, model)
    named = held_out(source, model, test_data=["t"], working_folder=tmp_path)
    assert beside is not None
    assert named is not None
    assert beside.inputs["x"].file.path == tmp_path / "d" / "test" / "photos"
    assert named.inputs["x"].file.path == tmp_path / "t"
    assert beside.inputs["x"].preprocessing == named.inputs["x"].preprocessing == source.inputs["x"].preprocessing


def test_arrays_are_not_taken_for_pixels(tmp_path: Path, model: Model) -> None:
    """An array as test data of a model that was calibrated with images is what the model takes, not raw pixels."""
    _touch(tmp_path / "d" / "photos" / "a.png")
    (tmp_path / "d" / "data.toml").write_text(SPEC)
    npy(tmp_path / "t.npy", array(1, 3, 4, 4))
    named = held_out(locate(["d"], model, working_folder=tmp_path), model, test_data=["t.npy"], working_folder=tmp_path)
    assert named is not None
    assert named.inputs["x"].preprocessing is None


def test_nothing_to_decode_with(tmp_path: Path, model: Model) -> None:
    _touch(tmp_path / "d" / "photos" / "a.png")
    (tmp_path / "d" / "data.toml").write_text(SPEC)
    with pytest.raises(UsageError, match="cannot be decoded here"):
        prepare(locate(["d"], model, working_folder=tmp_path), model.summary.inputs, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("raw.data", bytes(range(128, 256)), "neither an array nor a list of images"),
        ("x.npy", b"photos/a.png", "is not a .npy file"),
        ("x.npy", b"", "is not a .npy file"),
    ],
)
def test_what_holds_no_images_is_not_asked_for_their_preprocessing(
    model: Model, tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    source = locate([name], model, working_folder=tmp_path)
    with pytest.raises(DataError, match=told):
        prepare(source, model.summary.inputs, tmp_path, decode_images=lambda _: tmp_path)
