"""The builder step `images`, on images that Pillow wrote and on damaged ones."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.datasets.samples import Array
from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadDataError
from trtfarm_builder.images import prepare


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The step works in its current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*paths: Path, **changes: Any) -> Array:
    args = {
        "images": [str(path) for path in paths],
        "resize": None,
        "filter": "bilinear",
        "crop": None,
        "color": "RGB",
        "layout": "NHWC",
        "exif_orientation": False,
        "size": None,
        "output": "images.npy",
        **changes,
    }
    Path("images.npy").unlink(missing_ok=True)
    reader, writer = os.pipe()
    try:
        result = prepare.run(args, Channel(writer))
    finally:
        os.close(writer)
        os.close(reader)
    values: Array = np.load(result["output"])
    assert list(values.shape) == result["shape"]
    return values


def _saved(path: Path, pixels: Array, **how: Any) -> Path:
    Image.fromarray(pixels).save(path, **how)
    return path


def _random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _refused(*paths: Path, **changes: Any) -> str:
    with pytest.raises(BadDataError) as caught:
        _run(*paths, **changes)
    return f"{caught.value.message} {caught.value.cause}"


def test_colours_and_layouts(scratch: Path) -> None:
    pixels = _random(2, 5, 7, 3)
    paths = [_saved(scratch / f"{index}.png", image) for index, image in enumerate(pixels)]
    assert np.array_equal(_run(*paths), pixels)
    assert np.array_equal(_run(*paths, layout="NCHW"), pixels.transpose(0, 3, 1, 2))
    assert np.array_equal(_run(*paths, color="BGR"), pixels[..., ::-1])
    luma = pixels.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(_run(*paths, color="gray")[..., 0] - luma).max() <= 1


def test_gray_for_three_channels(scratch: Path) -> None:
    pixels = _random(4, 4)
    assert np.array_equal(_run(_saved(scratch / "g.png", pixels))[0], np.stack([pixels] * 3, -1))


def test_sixteen_bits_lose_the_lower_byte(scratch: Path) -> None:
    wide = np.arange(0, 65536, 4096, dtype=np.uint16).reshape(4, 4)
    for suffix in ("png", "pgm"):
        path = _saved(scratch / f"g.{suffix}", wide)
        assert np.array_equal(_run(path, color="gray")[0, ..., 0], wide >> 8)


def test_transparency_is_dropped_and_palettes_looked_up(scratch: Path) -> None:
    pixels = _random(4, 4, 4)
    assert np.array_equal(_run(_saved(scratch / "a.png", pixels))[0], pixels[..., :3])
    few = (_random(4, 4, 3) // 128) * 255
    image = Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE)
    image.save(scratch / "p.png", transparency=0)
    assert np.array_equal(_run(scratch / "p.png")[0], few)
    Image.fromarray(few[..., 0]).convert("1").save(scratch / "1.png")
    assert np.array_equal(_run(scratch / "1.png", color="gray")[0, ..., 0], few[..., 0])


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "ppm", "webp"])
def test_formats(scratch: Path, suffix: str) -> None:
    flat = np.full((8, 8, 3), 100, np.uint8)
    assert np.abs(_run(_saved(scratch / f"i.{suffix}", flat)).astype(int) - 100).max() <= 2


def test_formats_that_are_not_decoded(scratch: Path) -> None:
    for suffix in ("tiff", "gif", "ico"):
        assert "cannot be decoded" in _refused(_saved(scratch / f"i.{suffix}", _random(16, 16, 3)))


@pytest.mark.parametrize(
    ("resize", "shape"), [(4, (4, 6)), (16, (16, 25)), ([5, 3], (5, 3)), (8, (8, 12)), (None, (8, 12))]
)
def test_resizing(scratch: Path, resize: int | list[int] | None, shape: tuple[int, int]) -> None:
    size = (8, 12) if resize != 16 else (7, 11)
    path = _saved(scratch / "i.png", _random(*size, 3))
    assert _run(path, resize=resize).shape == (1, *shape, 3)
    turned = _saved(scratch / "t.png", _random(*size[::-1], 3))
    if not isinstance(resize, list):
        assert _run(turned, resize=resize).shape == (1, *shape[::-1], 3)


def test_filters_are_pillows(scratch: Path) -> None:
    path = _saved(scratch / "i.png", _random(16, 16, 3))
    with Image.open(path) as image:
        for name in ("nearest", "bilinear", "bicubic", "lanczos"):
            expected = np.asarray(image.resize((6, 5), Image.Resampling[name.upper()]))
            assert np.array_equal(_run(path, resize=[5, 6], filter=name)[0], expected)


def test_the_middle_is_kept(scratch: Path) -> None:
    pixels = _random(8, 12, 3)
    path = _saved(scratch / "i.png", pixels)
    assert np.array_equal(_run(path, crop=[4, 6])[0], pixels[2:6, 3:9])
    assert np.array_equal(_run(path, crop=[8, 12])[0], pixels)
    assert "8 pixels high and 12 wide, and 9 x 12 are needed" in _refused(path, crop=[9, 12])


def test_sizes_must_be_the_models_and_the_same(scratch: Path) -> None:
    small, large = _saved(scratch / "s.png", _random(4, 4, 3)), _saved(scratch / "l.png", _random(5, 4, 3))
    assert "s.png is 4 pixels high" in _refused(small, size=[8, 8])
    assert "l.png is 5 pixels high" in _refused(small, large)
    assert _run(small, large, resize=[4, 4], size=[4, 4]).shape == (2, 4, 4, 3)


def test_orientation_is_followed_when_asked(scratch: Path) -> None:
    pixels = _random(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn clockwise to show
    for suffix in ("png", "webp"):
        path = _saved(scratch / f"i.{suffix}", pixels, exif=exif, lossless=True)
        assert np.array_equal(_run(path)[0], pixels)
        assert np.array_equal(_run(path, exif_orientation=True)[0], np.rot90(pixels, -1))


def test_damaged_images_are_named(scratch: Path) -> None:
    for suffix in ("png", "jpg", "bmp", "webp", "ppm"):
        whole = _saved(scratch / f"whole.{suffix}", _random(64, 64, 3)).read_bytes()
        for size in (0, 2, 10, 30, len(whole) // 2, len(whole) - 100):
            cut = scratch / f"cut.{suffix}"
            cut.write_bytes(whole[:size])
            assert f"cut.{suffix} cannot be decoded" in _refused(cut)


def test_bombs(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _saved(scratch / "i.png", np.zeros((40, 50), np.uint8))
    monkeypatch.setattr(prepare, "MAX_PIXELS", 1999)
    assert "50 pixels wide and 40 high" in _refused(path)
    monkeypatch.setattr(prepare, "MAX_PIXELS", 5000)
    assert "125 pixels wide and 100 high" in _refused(path, resize=100)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    assert "more than" in _refused(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    assert "more than" in _refused(path)


def test_a_png_that_claims_to_be_huge(scratch: Path) -> None:
    """65,535 pixels squared, in 70 bytes: refused by its header."""
    size = struct.pack(">IIBBBBB", 65535, 65535, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(b""))]
    (scratch / "huge.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )
    assert "more than 50,000,000 pixels" in _refused(scratch / "huge.png")


def test_not_a_regular_file(scratch: Path) -> None:
    os.mkfifo(scratch / "pipe.png")
    assert "not a regular file" in _refused(scratch / "pipe.png")
    (scratch / "link.png").symlink_to(_saved(scratch / "i.png", _random(4, 4, 3)))
    assert "cannot be read" in _refused(scratch / "link.png")
    assert "cannot be read" in _refused(scratch / "missing.png")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["png", "jpg", "webp", "bmp", "ppm"]),
    at=st.integers(0, 300),
    content=st.binary(min_size=1, max_size=8),
)
def test_mutated_images(scratch: Path, suffix: str, at: int, content: bytes) -> None:
    path = _saved(scratch / f"i.{suffix}", _random(8, 8, 3))
    whole = bytearray(path.read_bytes())
    at %= len(whole)
    whole[at : at + len(content)] = content
    path.write_bytes(bytes(whole))
    try:
        values = _run(path, resize=[4, 4])
    except BadDataError:
        return
    assert values.shape == (1, 4, 4, 3)
