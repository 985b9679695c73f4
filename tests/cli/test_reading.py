"""What is done to pictures on the way in: levels, profiles, metadata, frames; and formats that come out."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from enhance_cli.batch.records import RECORDS_NAME
from enhance_cli.imaging import files


def frames_of(path):
    frames = list(files.read_frames(path))
    return [(one.picture.width, one.picture.height) for one in frames], [one.milliseconds for one in frames]


@pytest.fixture
def animation(tmp_path):
    """`animation(name)` writes three frames of 20x16."""

    def make(name, **options):
        rng = np.random.default_rng(0)
        images = [
            Image.fromarray((rng.uniform(0, 30, (16, 20, 3)) + shade).astype(np.uint8))
            for shade in (60, 120, 180)
        ]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        images[0].save(path, save_all=True, append_images=images[1:], **options)
        return path

    return make


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_are_restored_frame_by_frame(enhance, animation, tmp_path, suffix):
    times = [50, 120, 200]
    animation(f"in/a.{suffix}", duration=times, loop=0)
    outcome = enhance("sr", "--json", "--frames", "all", "in", "out")
    assert outcome.code == 0, outcome.err
    (file,) = outcome.of("file")
    assert (file["frames"], file["output_size"], file["tiles"]) == (3, [40, 32], 3)
    assert outcome.of("summary")[0]["megapixels"] == pytest.approx(3 * 40 * 32 / 1e6, abs=1e-4)
    sizes, seen = frames_of(tmp_path / f"out/a.{suffix}")
    assert sizes == [(40, 32)] * 3
    assert [round(one) for one in seen] == times
    assert "1 current" in enhance("sr", "--frames", "all", "in", "out").err
    # Unasked it is the first one alone, and that is said.
    outcome = enhance("sr", "in", "-o", "first")
    assert "only the first one is used" in outcome.err
    assert frames_of(tmp_path / "first/a.png")[0] == [(40, 32)]


def test_each_frame_is_what_it_would_be_alone(enhance, animation, picture, tmp_path):
    animation("pages.tif")
    picture("still.png")
    assert enhance("sr", "--frames", "all", "pages.tif", "still.png", "-o", "out").code == 0
    assert frames_of(tmp_path / "out/still.png")[0] == [(40, 32)]
    pages = [frame.picture for frame in files.read_frames(tmp_path / "out/pages.tif")]
    assert len(pages) == 3
    for number, page in enumerate(files.read_frames(tmp_path / "pages.tif")):
        Image.fromarray(page.picture.pixels).save(f"one{number}.png")
        assert enhance("sr", f"one{number}.png", "alone/").code == 0
        alone = files.read(tmp_path / f"alone/one{number}.png")
        assert (alone.pixels == pages[number].pixels).all()


def test_a_broken_frame_leaves_nothing(enhance, animation, tmp_path):
    path = animation("a.gif", duration=50)
    path.write_bytes(path.read_bytes()[:-500])
    outcome = enhance("sr", "--json", "--frames", "all", "a.gif", "out/")
    assert outcome.code == 1
    assert outcome.of("file")[0]["status"] == "failed"
    assert list(Path().rglob("out/a*")) == []


def test_frames_that_have_nowhere_to_go(enhance, animation):
    animation("a.gif", duration=50)
    outcome = enhance("sr", "--quiet", "--frames", "all", "--format", "jpg", "a.gif", "out/")
    assert outcome.code == 1 and "one picture" in outcome.err
    outcome = enhance("sr", "--frames", "all", "--reference", "a.gif", "a.gif", "out/")
    assert outcome.code == 2 and "--reference" in outcome.err


@pytest.mark.parametrize(
    ("flag", "suffix"), [("avif", "avif"), ("heic", "heic"), ("jxl", "jxl"), ("gif", "gif")]
)
def test_formats_by_flag_and_by_suffix(enhance, picture, tmp_path, flag, suffix):
    picture("in/a.png")
    outcome = enhance("sr", "--format", flag, "in", "out")
    if "needs the package" in outcome.err:
        pytest.skip(outcome.err)
    assert outcome.code == 0, outcome.err
    made = files.read(tmp_path / f"out/a.{suffix}")
    assert (made.width, made.height) == (40, 32)
    # And back in, from a folder; what untrained weights make of their own results does not pass as a result.
    assert enhance("sr", "--unchecked", "out", "again").code == 0
    assert (tmp_path / "again/a.png").is_file()


def test_kinds_that_are_only_read_become_png_where_the_same_is_asked_for(enhance, picture, tmp_path):
    picture("in/a.ppm")
    (tmp_path / "in/a.ppm").rename(tmp_path / "in/a.pam")
    assert enhance("sr", "--format", "same", "in", "out").code == 0
    assert (tmp_path / "out/a.png").is_file()


def exif_with_position():
    exif = Image.Exif()
    exif[0x013B] = "somebody"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    return exif.tobytes()


def test_metadata_are_left_out_where_asked(enhance, picture, tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture("a.jpg", exif=exif_with_position(), icc_profile=icc)
    for strip, artist, position in (("none", True, True), ("gps", True, False), ("all", False, False)):
        assert enhance("sr", "--strip", strip, "a.jpg", f"{strip}/").code == 0
        with Image.open(tmp_path / f"{strip}/a.png") as image:
            exif = image.getexif()
            assert (0x013B in exif, bool(exif.get_ifd(0x8825))) == (artist, position)
            assert image.info["icc_profile"] == icc
    assert json.loads(Path("gps", RECORDS_NAME).read_text())["settings"]["strip"] == "gps"
    outcome = enhance("sr", "--strip", "all", "a.jpg", "gps/")
    assert outcome.code == 1 and "other settings" in outcome.err


def test_colours_are_converted_where_asked(enhance, picture, tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The same profile with half the red primary's X is another one.
    at = lab.index(b"XYZ ", 128 + 4 + 12 * int.from_bytes(lab[128:132], "big"))
    other = bytearray(lab)
    other[at + 8 + 3] ^= 0x10
    picture("a.png", icc_profile=bytes(other))
    assert enhance("sr", "a.png", "kept/").code == 0
    assert enhance("sr", "--icc", "srgb", "a.png", "srgb/").code == 0
    assert files.read(tmp_path / "kept/a.png").metadata.icc == bytes(other)
    assert files.read(tmp_path / "srgb/a.png").metadata.icc != bytes(other)


def test_levels_make_the_most_of_few_bits(enhance, tmp_path):
    ramp = np.tile(np.linspace(64, 1023, 20).astype(np.uint16), (16, 1))
    Image.fromarray(ramp).save(tmp_path / "raw.png")
    outcome = enhance("sr", "raw.png", "as-is/")
    assert outcome.code == 0 and "--white-level" in outcome.err
    assert enhance("sr", "--white-level", "1023", "--black-level", "64", "raw.png", "full/").code == 0
    assert files.read(tmp_path / "as-is/raw.png").pixels.max() < 2000
    assert files.read(tmp_path / "full/raw.png").pixels.max() > 50_000
    assert json.loads(Path("full", RECORDS_NAME).read_text())["settings"]["levels"] == [64, 1023]
    outcome = enhance("sr", "--white-level", "10", "--black-level", "64", "raw.png", "x/")
    assert outcome.code == 2 and "not above" in outcome.err
