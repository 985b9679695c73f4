"""The four tasks from flags to files and exit codes."""

import io
import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.batch import pipeline
from enhance_cli.batch.records import RECORDS_NAME
from enhance_cli.checkpoints.reader import save_file
from enhance_cli.cli.console import read_stdin
from enhance_cli.engine.ensemble import eightfold
from enhance_cli.errors import ReadError
from enhance_cli.imaging import files


def files_in(folder):
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name != RECORDS_NAME and path.is_file()
    )


def test_a_file_is_written_beside_its_input(enhance, picture, size_of, tmp_path):
    picture("photo.jpg", 20, 16)
    outcome = enhance("sr", "photo.jpg")
    assert outcome.code == 0, outcome.err
    assert outcome.out == b""
    assert size_of(tmp_path / "photo_sr.png") == (40, 32)
    assert "1 done" in outcome.err


def test_two_paths_are_in_and_out(enhance, picture, size_of, tmp_path):
    picture("a.png")
    assert enhance("sr", "a.png", "b.png").code == 0
    assert enhance("sr", "a.png", "folder/").code == 0
    assert enhance("sr", "a.png", "plain").code == 0
    for name in ("b.png", "folder/a.png", "plain/a.png"):
        assert size_of(tmp_path / name) == (40, 32)


def test_an_existing_second_picture_is_not_replaced(enhance, picture, tmp_path):
    picture("a.png")
    before = picture("b.png", seed=1).read_bytes()
    # With --overwrite neither: the shell may have made both of *.png.
    for flags in ([], ["--overwrite"]):
        outcome = enhance("sr", *flags, "a.png", "b.png")
        assert outcome.code == 2
        assert "-o/--output" in outcome.err and outcome.err.count("\n") == 1
        assert (tmp_path / "b.png").read_bytes() == before
    assert enhance("sr", "a.png", "-o", "b.png").code == 1
    assert (tmp_path / "b.png").read_bytes() == before
    assert enhance("sr", "--overwrite", "a.png", "-o", "b.png").code == 0
    assert (tmp_path / "b.png").read_bytes() != before
    # Now it is one of ours.
    assert enhance("sr", "--overwrite", "--scale", "1.5", "a.png", "b.png").code == 0


def test_three_paths_need_an_output(enhance, picture, tmp_path):
    for name in "abc":
        picture(f"{name}.png")
    outcome = enhance("sr", "a.png", "b.png", "c.png")
    assert outcome.code == 2
    assert outcome.err.startswith("enhance: error: ")
    assert "--output" in outcome.err
    assert outcome.err.count("\n") == 1
    assert enhance("sr", "a.png", "b.png", "c.png", "-o", "out").code == 0
    assert files_in(tmp_path / "out") == ["a.png", "b.png", "c.png"]


def test_a_tree_with_broken_files_is_mirrored(enhance, picture, tmp_path):
    picture("in/one.png")
    picture("in/Größe/zwei 100%.jpg")
    picture("in/Größe/deep/drei.tif", gray=True)
    (tmp_path / "in/empty.png").touch()
    (tmp_path / "in/text.png").write_text("no picture")
    (tmp_path / "in/notes.txt").write_text("no picture either")
    (tmp_path / "in/.hidden.png").write_text("never seen")
    os.symlink("nowhere.png", tmp_path / "in/link.png")
    outcome = enhance("sr", "--json", "in", "out")
    assert outcome.code == 3
    assert files_in(tmp_path / "out") == ["Größe/deep/drei.png", "Größe/zwei 100%.png", "one.png"]
    failed = {one["input"] for one in outcome.of("file") if one["status"] == "failed"}
    assert failed == {os.path.join("in", name) for name in ("empty.png", "text.png", "link.png")}
    (summary,) = outcome.of("summary")
    assert (summary["done"], summary["failed"], summary["skipped"]) == (3, 3, 1)
    assert summary["megapixels"] == pytest.approx(3 * 40 * 32 / 1e6, abs=1e-4)


def test_names_that_are_too_long_are_no_surprise(enhance, picture):
    picture("a.png")
    for arguments, code in (
        (["x" * 300], 2),
        (["a.png", "x" * 300 + ".png"], 1),
        (["a.png", "x" * 300 + "/"], 1),
    ):
        outcome = enhance("sr", "--quiet", *arguments)
        assert outcome.code == code
        assert "unexpected" not in outcome.err
        assert outcome.err.count("\n") == 1


def test_what_the_format_cannot_hold_is_refused_before_the_work(enhance, tmp_path, monkeypatch):
    from enhance_cli.engine.restorer import Restorer

    monkeypatch.setattr(Restorer, "bands", None)
    Image.new("RGBA", (20, 16), (90, 90, 90, 90)).save(tmp_path / "clear.png")
    Image.new("L", (8200, 1)).save(tmp_path / "wide.png")
    for flags, word in ((["clear.png", "x.jpg"], "transparency"), (["wide.png", "x.webp"], "16383")):
        outcome = enhance("sr", "--quiet", *flags)
        assert outcome.code == 1
        assert word in outcome.err
        assert not (tmp_path / flags[1]).exists()


def test_everything_failing_is_exit_1(enhance, tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    outcome = enhance("sr", "a.png")
    assert outcome.code == 1
    assert "failed a.png" in outcome.err
    assert "Traceback" not in outcome.err
    assert files_in(tmp_path) == ["a.png"]


def test_a_missing_path_alone_is_a_usage_error_and_among_others_a_failure(enhance, picture):
    outcome = enhance("sr", "nothing.png")
    assert (outcome.code, outcome.err) == (2, "enhance: error: No such file or folder: nothing.png\n")
    picture("a.png")
    outcome = enhance("sr", "--json", "nothing.png", "a.png", "-o", "out")
    assert outcome.code == 3
    assert [one["status"] for one in outcome.of("file")] == ["failed", "done"]


def test_json_events_hold_what_the_design_says(enhance, picture):
    picture("a.png")
    outcome = enhance("sr", "--json", "--scale", "1.5", "a.png", "out/")
    start, file, summary = outcome.events
    assert [one["event"] for one in outcome.events] == ["start", "file", "summary"]
    assert all(one["schema"] == 1 for one in outcome.events)
    assert start["settings"]["scale"] == 1.5
    assert (start["device"], start["backend"]) == ("cpu", "torch")
    assert {one["name"] for one in start["weights"]} == {"tiny-sr-x2", "tiny-sr-gray-x2"}
    assert all(len(one["sha256"]) == 64 and one["licence"] == "MIT" for one in start["weights"])
    assert file["input"] == "a.png"
    assert file["output"] == os.path.join("out", "a.png")
    assert (file["status"], file["model"]) == ("done", "tiny-sr-x2")
    assert (file["input_size"], file["output_size"]) == ([20, 16], [30, 24])
    assert set(file["seconds"]) == {"read", "restore", "write"}
    assert (file["device"], file["backend"], file["precision"], file["tiles"]) == (
        "cpu",
        "torch",
        "float32",
        1,
    )
    assert not {"error", "metrics", "warning"} & set(file)
    assert {"done", "current", "skipped", "failed", "seconds", "megapixels"} <= set(summary)
    assert set(summary["stages"]) == {"read", "restore", "write"}
    assert set(summary["waited"]) == {"read", "write"}


def test_gray_and_colour_take_their_own_weights(enhance, picture, tmp_path):
    picture("in/gray.png", gray=True)
    picture("in/colour.png")
    outcome = enhance("sr", "--json", "in", "out")
    models = {os.path.basename(one["input"]): one["model"] for one in outcome.of("file")}
    assert models == {"gray.png": "tiny-sr-gray-x2", "colour.png": "tiny-sr-x2"}
    with Image.open(tmp_path / "out/gray.png") as image:
        assert image.mode == "L"


def test_gray_pictures_saved_as_rgb_are_restored_as_gray(enhance, picture, tmp_path):
    path = picture("in/scan.png", gray=True)
    with Image.open(path) as image:
        image.convert("RGB").save(path)
    outcome = enhance("sr", "--json", "in", "out")
    assert outcome.of("file")[0]["model"] == "tiny-sr-gray-x2"
    with Image.open(tmp_path / "out/scan.png") as image:
        assert image.mode == "RGB"
        red, green, blue = (np.asarray(band) for band in image.split())
    assert np.array_equal(red, green) and np.array_equal(red, blue)


def test_closed_standard_input_is_one_line(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ReadError, match="standard input is closed"):
        read_stdin(1)


def test_the_network_follows_from_the_factor(enhance, picture, size_of, tmp_path):
    picture("a.png")
    for flags, model, size in (
        (["--scale", "2.5"], "tiny-sr-x3", (50, 40)),
        (["--scale", "3"], "tiny-sr-x3", (60, 48)),
        (["--size", "33x20"], "tiny-sr-x2", (33, 20)),
        (["--size", "50x33"], "tiny-sr-x3", (50, 33)),
        (["--model", "tiny-sr-x3"], "tiny-sr-x3", (60, 48)),
    ):
        outcome = enhance("sr", "--json", "--overwrite", *flags, "a.png", "b.png")
        assert outcome.code == 0, outcome.err
        assert outcome.of("file")[0]["model"] == model
        assert size_of(tmp_path / "b.png") == size


def test_sizes_and_factors_that_cannot_be(enhance, picture):
    picture("a.png")
    for flags, code, words in (
        (["--scale", "1"], 2, "--scale"),
        (["--scale", "5"], 2, "--scale"),
        (["--scale", "4"], 2, "4 times"),
        (["--size", "10x10"], 1, "smaller"),
        (["--size", "200x20"], 1, "10 times"),
        (["--size", "big"], 2, "1920x1080"),
        (["--size", "40x40", "--scale", "2"], 2, "leave one out"),
        (["--model", "tiny-sr-x2", "--scale", "3"], 2, "--model"),
        (["--model", "tiny-dejpeg"], 2, "dejpeg"),
        (["--model", "tiny-sr-x9"], 2, "tiny-sr-x"),
        (["--device", "cuda:77"], 2, "cuda:77"),
        (["--precision", "octuple"], 2, "octuple"),
        (["--weights", "a.png"], 2, "a.png"),
        (["--name", "{nonsense}"], 2, "{stem}"),
        (["--min-psnr", "30"], 2, "--reference"),
    ):
        outcome = enhance("sr", *flags, "a.png", "b.png")
        assert outcome.code == code, (flags, outcome.err)
        assert words in outcome.err
        assert "Traceback" not in outcome.err


@pytest.mark.parametrize("flags", [["--ensemble"], ["--model", "best"], ["--model", "best", "--ensemble"]])
def test_the_best_is_the_ensemble(enhance, picture, monkeypatch, flags):
    calls = []

    def counted(run, x):
        calls.append(x.shape)
        return eightfold(run, x)

    monkeypatch.setattr("enhance_cli.engine.network.eightfold", counted)
    picture("a.png")
    assert enhance("sr", "a.png", "plain.png").code == 0
    assert not calls
    outcome = enhance("sr", "--json", *flags, "a.png", "b.png")
    assert (outcome.code, len(calls)) == (0, 1)
    assert outcome.of("file")[0]["model"] == "tiny-sr-x2"
    assert outcome.of("start")[0]["ensemble"] is True
    assert enhance("sr", "--json", "--dry-run", *flags, "a.png", "c.png").of("start")[0]["ensemble"] is True
    assert "averaged" in outcome.err and "averaged" not in enhance("sr", "a.png", "d.png").err
    # It is another result, whichever of the two flags asked for it.
    assert "--overwrite" in enhance("sr", "a.png", "b.png").err
    assert "0 done, 1 current" in enhance("sr", "--ensemble", "a.png", "b.png").err


def test_weights_from_a_file(enhance, picture, shelf):
    picture("a.png")
    outcome = enhance("sr", "--json", "--weights", shelf / "tiny-sr-x3.safetensors", "a.png")
    assert outcome.code == 0, outcome.err
    assert outcome.of("file")[0]["output_size"] == [60, 48]
    assert outcome.of("start")[0]["weights"][0]["licence"] == "MIT"


def test_colliding_outputs_stop_the_run_before_it_begins(enhance, picture, tmp_path):
    picture("in/a.png")
    picture("in/a.jpg")
    outcome = enhance("dejpeg", "in", "out")
    assert outcome.code == 2
    assert "a.jpg" in outcome.err and "a.png" in outcome.err and "--format same" in outcome.err
    assert not (tmp_path / "out").exists()
    assert enhance("deblur", "--format", "same", "in", "out").code == 0
    assert files_in(tmp_path / "out") == ["a.jpg", "a.png"]


def test_an_input_is_never_an_output(enhance, picture):
    before = picture("in/a.png").read_bytes()
    for arguments in (["in", "in"], ["in/a.png", "-o", "in/a.png"], ["--overwrite", "in/a.png", "in"]):
        outcome = enhance("dejpeg", *arguments)
        assert outcome.code == 2
        assert "both an input and an output" in outcome.err
    assert picture("in/a.png").read_bytes() == before


def test_a_second_run_finds_everything_current(enhance, picture, tmp_path):
    for name in ("a.png", "sub/b.png"):
        picture(f"in/{name}")
    assert enhance("sr", "in", "out").code == 0
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    outcome = enhance("sr", "--json", "in", "out")
    assert outcome.code == 0
    assert [one["status"] for one in outcome.of("file")] == ["current", "current"]
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


@pytest.mark.parametrize("output", [[], ["in/out"]])
def test_outputs_beside_or_inside_their_inputs_are_not_eaten(enhance, picture, tmp_path, output):
    picture("in/a.jpg")
    picture("in/b.png")
    assert enhance("deblur", "in", *output).code == 0
    before = files_in(tmp_path)
    outcome = enhance("deblur", "--json", "in", *output)
    assert outcome.code == 0, outcome.err
    assert outcome.of("summary")[0]["current"] == 2
    assert files_in(tmp_path) == before


def test_what_does_not_match_its_record_is_reported_and_kept(enhance, picture, tmp_path):
    picture("a.png")
    assert enhance("sr", "a.png", "b.png").code == 0
    made = (tmp_path / "b.png").read_bytes()
    outcome = enhance("sr", "--scale", "3", "a.png", "b.png")
    assert outcome.code == 1 and "other settings" in outcome.err
    (tmp_path / "b.png").write_bytes(made[:50])
    outcome = enhance("sr", "a.png", "b.png")
    assert outcome.code == 1 and "changed since" in outcome.err
    assert enhance("sr", "--overwrite", "a.png", "b.png").code == 0
    assert (tmp_path / "b.png").read_bytes() == made


def test_what_makes_a_result_another(enhance, picture, monkeypatch):
    picture("a.png")
    assert enhance("sr", "a.png", "b.png").code == 0
    record = json.loads(Path(RECORDS_NAME).read_text())
    assert record["computed"] == {"device": "cpu", "backend": "torch", "precision": "float32"}
    for same in (["--precision", "float32"], ["--device", "cpu"], ["--backend", "torch"], ["--tile", "8"]):
        assert "1 current" in enhance("sr", *same, "a.png", "b.png").err, same
    outcome = enhance("sr", "--precision", "bfloat16", "a.png", "b.png")
    assert outcome.code == 1 and "other settings" in outcome.err


def test_sigma_zero_leaves_every_pixel(enhance, picture, tmp_path):
    before = np.asarray(Image.open(picture("a.png")))
    Image.fromarray(np.dstack([before, before[..., 0]])).save("clear.png")
    outcome = enhance("denoise", "--json", "--sigma", "0", "a.png", "clear.png", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert [(one["condition"], one["tiles"]) for one in outcome.of("file")] == [(0, 0), (0, 0)]
    for name in ("a.png", "clear.png"):
        assert (np.asarray(Image.open(tmp_path / "out" / name)) == np.asarray(Image.open(name))).all()


def test_leftovers_of_a_killed_run_go_and_others_stay(enhance, picture, tmp_path):
    picture("in/a.png")
    (tmp_path / "out").mkdir()
    ours, foreign, fresh = (
        tmp_path / "out" / name
        for name in (".a.png.0123abcd.part", ".b.png.0123abcd.part", ".a.png.ffffffff.part")
    )
    for path in (ours, foreign, fresh):
        path.write_bytes(b"half")
    for path in (ours, foreign):
        os.utime(path, (time.time() - 9999,) * 2)
    os.utime(fresh, (time.time() + 9999,) * 2)
    assert enhance("sr", "in", "out").code == 0
    assert not ours.exists() and foreign.exists() and fresh.exists()


def test_stdin_and_stdout(enhance, picture, size_of, tmp_path):
    path = picture("a.jpg")
    outcome = enhance("sr", "-", stdin=path.read_bytes())
    assert outcome.code == 0, outcome.err
    assert size_of(outcome.out) == (40, 32)
    assert outcome.out.startswith(b"\x89PNG")
    outcome = enhance("sr", "a.jpg", "-", "--format", "jpg")
    assert outcome.out.startswith(b"\xff\xd8")
    assert enhance("sr", "-", "b.webp", stdin=path.read_bytes()).code == 0
    assert size_of(tmp_path / "b.webp") == (40, 32)
    assert enhance("sr", "-", stdin=b"").code == 1
    assert enhance("sr", "--json", "-", stdin=path.read_bytes()).code == 2
    (tmp_path / "in").mkdir()
    path.rename(tmp_path / "in/a.jpg")
    assert enhance("sr", "in", "-").code == 2


def decoded(data):
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        return np.asarray(image)


@pytest.mark.parametrize("suffix", [".png", ".ppm", ".tiff", ".bmp", ".webp"])
def test_large_pictures_are_written_in_bands_and_come_out_the_same(enhance, picture, tmp_path, suffix):
    path = picture("a.png", 150, 200)
    outcome = enhance("sr", "--json", "--tile", "64", "a.png", f"bands{suffix}")
    assert outcome.code == 0, outcome.err
    assert outcome.of("file")[0]["tiles"] == 12
    assert enhance("sr", "--tile", "0", "a.png", "whole.png").code == 0
    piped = enhance("sr", "--tile", "64", "-", stdin=path.read_bytes()).out
    whole, bands = decoded(tmp_path / "whole.png"), decoded(tmp_path / f"bands{suffix}")
    assert np.array_equal(decoded(piped), bands)
    assert np.abs(whole.astype(int) - bands).max() <= 1
    assert enhance("sr", "--json", "--tile", "64", "a.png", f"bands{suffix}").events[-1]["current"] == 1


def test_figures_of_a_picture_in_bands_are_those_of_the_whole(enhance, picture):
    picture("a.png", 75, 100)
    picture("clean.png", 150, 200, seed=1)
    figures = [
        enhance("sr", "--json", "--tile", tile, "--reference", "clean.png", "a.png", f"{tile}.png").of("file")
        for tile in ("0", "64")
    ]
    assert [one[0]["tiles"] for one in figures] == [1, 4]
    assert figures[0][0]["metrics"]["psnr"] == pytest.approx(figures[1][0]["metrics"]["psnr"], abs=1e-3)


def test_a_disk_that_fills_up_within_a_picture_leaves_nothing_of_it(enhance, picture, tmp_path, monkeypatch):
    class Full(io.FileIO):
        def write(self, data):
            if self.tell() > 1000:
                raise OSError(28, "No space left on device")
            return super().write(data)

    plain = Path.open

    def small(path, mode="r", *others, **more):
        return Full(path, mode) if path.match(".a.png*.part") else plain(path, mode, *others, **more)

    monkeypatch.setattr(Path, "open", small)
    picture("in/a.png", 150, 200)
    picture("in/b.png")
    outcome = enhance("sr", "--json", "--tile", "64", "in", "out")
    assert outcome.code == 3
    assert "No space left on device" in outcome.of("file")[0]["error"]
    assert files_in(tmp_path / "out") == ["b.png"]


def test_an_output_that_appears_meanwhile_is_not_replaced(enhance, picture, tmp_path, monkeypatch):
    picture("a.png")

    def meanwhile(x, y, task):
        (tmp_path / "b.png").write_bytes(b"mine")

    monkeypatch.setattr("enhance_cli.engine.check.fault_of", meanwhile)
    outcome = enhance("sr", "a.png", "b.png")
    assert outcome.code == 1 and "b.png exists already" in outcome.err
    assert (tmp_path / "b.png").read_bytes() == b"mine"
    assert files_in(tmp_path) == ["a.png", "b.png"]


def test_an_interrupt_ends_the_wait_for_stdin(enhance, monkeypatch):
    def wait(at_most):
        # Signals reach this thread alone.
        assert threading.current_thread() is threading.main_thread()
        raise KeyboardInterrupt

    monkeypatch.setattr("enhance_cli.cli.restore.read_stdin", wait)
    assert enhance("sr", "-").code == 130


def test_names_and_formats(enhance, picture, tmp_path):
    picture("in/sub/a.png")
    for flags, name in (
        (["--name", "{stem}_x{scale}.{ext}"], "a_x2.png"),
        (["--name", "{task}-{stem}.jpg"], "sr-a.jpg"),
        (
            ["--name", "{stem}-{model}.{ext}", "--model", "tiny-sr-x3", "--format", "webp"],
            "a-tiny-sr-x3.webp",
        ),
        (["--format", "tiff"], "a.tif"),
    ):
        outcome = enhance("sr", *flags, "in", "out")
        assert outcome.code == 0, outcome.err
        assert (tmp_path / "out/sub" / name).is_file()
    assert enhance("denoise", "--sigma", "5", "--name", "{stem}_{sigma}.png", "in", "out").code == 0
    assert (tmp_path / "out/sub/a_5.png").is_file()
    assert enhance("sr", "--format", "jpg", "in/sub/a.png", "x.png").code == 2
    assert enhance("sr", "--name", "../{stem}.png", "in", "out").code == 2


def test_a_dry_run_writes_nothing(enhance, picture, tmp_path):
    picture("in/a.png")
    outcome = enhance("sr", "--dry-run", "--json", "in", "out")
    assert outcome.code == 0
    assert outcome.of("file")[0]["output"] == os.path.join("out", "a.png")
    assert outcome.of("summary")[0]["skipped"] == 1
    assert not (tmp_path / "out").exists()


def test_a_dry_run_tells_sizes_and_what_would_fail(enhance, picture, tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        picture(f"in/{name}")
    picture("in/b.png", 5, 4, seed=1)
    (tmp_path / "in/broken.png").write_text("no picture")
    assert enhance("sr", "in/a.png", "out/").code == 0
    picture("out/c.png")
    outcome = enhance("sr", "--dry-run", "--json", "in", "out")
    assert outcome.code == 3
    told = {os.path.basename(one["input"]): one for one in outcome.of("file")}
    states = {name: one["status"] for name, one in told.items()}
    assert states == {"a.png": "current", "b.png": "skipped", "c.png": "failed", "broken.png": "failed"}
    assert (told["b.png"]["input_size"], told["b.png"]["output_size"]) == ([5, 4], [10, 8])
    assert "would write in/b.png -> out/b.png  10x8" in outcome.err
    assert "0 done, 1 to write, 1 current, 0 skipped, 2 failed" in outcome.err
    assert files_in(tmp_path / "out") == ["a.png", "c.png"]


def test_what_failed_is_tried_again_at_the_end(enhance, picture, monkeypatch):
    for name in "abc":
        picture(f"in/{name}.png")
    real, tries = files.bytes_of, []

    def shaky(path, limits):
        tries.append(path.name)
        if path.name == "a.png" and tries.count("a.png") < 3:
            raise ReadError(f"{path}: the network folder is away")
        return real(path, limits)

    monkeypatch.setattr(files, "bytes_of", shaky)
    monkeypatch.setattr(pipeline, "RETRY_SECONDS", 0)
    outcome = enhance("sr", "--json", "--retry", "1", "in", "out")
    assert outcome.code == 3 and tries.count("a.png") == 2
    # Told once, when it is certain.
    assert [one["input"][-5] for one in outcome.of("file")] == ["b", "c", "a"]
    tries.clear()
    outcome = enhance("sr", "--json", "--retry", "2", "in", "out2")
    # Two threads read, so that the first three may begin in any order.
    assert outcome.code == 0
    assert sorted(tries[:3]) == ["a.png", "b.png", "c.png"] and tries[3:] == ["a.png", "a.png"]
    assert outcome.of("summary")[0]["done"] == 3


def test_fail_fast_begins_nothing_after_a_failure(enhance, picture, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/0.png").write_text("no picture")
    for number in range(1, 9):
        picture(f"in/{number}.png")
    outcome = enhance("sr", "--json", "--fail-fast", "in", "out")
    assert outcome.code in (1, 3)
    assert len(outcome.of("file")) <= 2
    assert "pictures were not done: the same command goes on with them" in outcome.err
    assert len(enhance("sr", "--json", "in", "out").of("file")) == 9


def test_dates_are_those_of_the_inputs_where_asked(enhance, picture, tmp_path):
    path = picture("a.png")
    os.utime(path, (1_000_000_000, 1_100_000_000))
    assert enhance("sr", "a.png", "b.png").code == 0
    assert (tmp_path / "b.png").stat().st_mtime > 1_500_000_000
    assert enhance("sr", "--preserve-times", "a.png", "c.png").code == 0
    assert (tmp_path / "c.png").stat().st_mtime == 1_100_000_000
    assert "1 current" in enhance("sr", "--preserve-times", "a.png", "c.png").err


def test_a_folder_without_pictures_is_nothing_to_do(enhance, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").touch()
    outcome = enhance("sr", "in", "out")
    assert outcome.code == 1
    assert outcome.err == "enhance: error: no pictures found in in\n"


def test_strength_is_read_from_the_jpeg_clipped_and_told(enhance, picture):
    picture("q30.jpg", quality=30)
    picture("q90.jpg", quality=90)
    outcome = enhance("dejpeg", "--json", "q30.jpg", "q90.jpg", "-o", "out")
    assert outcome.code == 0, outcome.err
    low, high = outcome.of("file")
    assert (low["condition"], low["condition_from"]) == (30, "tables")
    assert high["condition"] == 60
    assert "5..60" in high["warning"]
    assert "tables" in enhance("dejpeg", "q30.jpg").err
    assert enhance("dejpeg", "--json", "--quality", "12", "q30.jpg", "b.png").of("file")[0]["condition"] == 12
    assert enhance("dejpeg", "--quality", "0", "q30.jpg").code == 2


def test_a_png_without_a_trace_of_jpeg_gets_the_mild_treatment(enhance, picture):
    picture("a.png")
    file = enhance("dejpeg", "--json", "a.png").of("file")[0]
    assert file["condition_from"] == "assumed"
    assert "no trace" in file["warning"]


def test_sigma_is_estimated_and_deblur_takes_none(enhance, picture):
    picture("a.png", 64, 64)
    file = enhance("denoise", "--json", "a.png").of("file")[0]
    assert file["condition_from"] == "estimate"
    assert 2 < file["condition"] < 12
    assert "condition" not in enhance("deblur", "--json", "a.png").of("file")[0]
    assert enhance("denoise", "--sigma", "much", "a.png").code == 2


def references(picture):
    for name, seed in (("a", 0), ("b", 1)):
        picture(f"in/{name}.png", 20, 20, seed=seed)
        picture(f"clean/{name}.bmp", 40, 40, seed=seed)


def test_references_add_figures_and_the_untreated_ones(enhance, picture):
    references(picture)
    outcome = enhance("sr", "--json", "--reference", "clean", "in", "out")
    assert outcome.code == 0, outcome.err
    files, (summary,) = outcome.of("file"), outcome.of("summary")
    for one in (*files, summary):
        assert set(one["metrics"]) == set(one["baseline"]) == {"psnr", "ssim"}
    assert summary["metrics"]["psnr"] == pytest.approx(
        np.mean([one["metrics"]["psnr"] for one in files]), abs=1e-5
    )
    again = enhance("sr", "--json", "--reference", "clean", "in", "out")
    assert [one["status"] for one in again.of("file")] == ["current", "current"]
    assert again.of("summary")[0]["metrics"] == summary["metrics"]
    talk = enhance("sr", "--reference", "clean", "in", "out").err
    assert "mean PSNR" in talk and "untreated" in talk


def test_figures_of_a_jpeg_are_those_of_the_file(enhance, picture):
    picture("in/a.png")
    picture("clean/a.png", 40, 32)
    command = ("sr", "in", "out", "--reference", "clean", "--json", "--format", "jpg", "--jpeg-quality", "5")
    first, again = enhance(*command).of("file")[0], enhance(*command).of("file")[0]
    assert (first["status"], again["status"]) == ("done", "current")
    assert first["metrics"] == again["metrics"]


def test_dejpeg_adds_psnr_b(enhance, picture):
    picture("a.jpg", 40, 40, quality=20)
    picture("clean.png", 40, 40)
    outcome = enhance("dejpeg", "--json", "--reference", "clean.png", "a.jpg")
    assert set(outcome.of("file")[0]["metrics"]) == {"psnr", "ssim", "psnr_b"}


def test_missing_and_unfit_references_fail_their_picture_alone(enhance, picture, tmp_path):
    references(picture)
    picture("in/lonely.png", 20, 20)
    picture("in/other.png", 20, 20)
    picture("clean/other.png", 42, 40)
    outcome = enhance("sr", "--json", "--reference", "clean", "in", "out")
    assert outcome.code == 3
    errors = {os.path.basename(one["input"]): one["error"] for one in outcome.of("file") if "error" in one}
    assert "no reference lonely" in errors["lonely.png"]
    assert "42x40" in errors["other.png"] and "40x40" in errors["other.png"]
    assert files_in(tmp_path / "out") == ["a.png", "b.png"]


def test_a_reference_that_is_no_multiple_of_the_scale_is_cropped_as_bench_does(enhance, picture):
    picture("in/ax2.png", 20, 20)
    picture("clean/a.png", 41, 41)
    with Image.open("clean/a.png") as image:
        image.crop((0, 0, 40, 40)).save("cropped.png")
    (cropped,) = enhance("sr", "--json", "--reference", "clean", "in", "out").of("file")
    (wanted,) = enhance("sr", "--json", "--reference", "cropped.png", "in/ax2.png", "b.png").of("file")
    assert cropped["metrics"] == wanted["metrics"]
    (asked,) = enhance("sr", "--size", "40x40", "--json", "--reference", "clean", "in", "o").of("file")
    assert "41x41" in asked["error"]


def test_gates_fail_with_exit_4_and_name_the_worst(enhance, picture):
    references(picture)
    arguments = ("--reference", "clean", "in", "out")
    assert enhance("sr", "--min-psnr", "5", "--min-ssim", "0.01", *arguments).code == 0
    outcome = enhance("sr", "--min-psnr", "90", *arguments)
    assert outcome.code == 4
    last = outcome.err.splitlines()[-1]
    assert last.startswith("enhance: error: mean PSNR")
    assert "a.png" in last and "b.png" in last


def test_a_spoiled_network_writes_nothing(enhance, picture, shelf, tmp_path):
    import torch

    from enhance_cli.arch.compact import Compact
    from enhance_cli.checkpoints.reader import save_file

    parameters = {"scale": 2, "n_feats": 4, "n_blocks": 1}
    net = Compact(**parameters)
    with torch.no_grad():
        net.tail.bias.fill_(5.0)
    save_file(
        tmp_path / "bad.safetensors", net, arch="compact", parameters=parameters, task="sr", metadata={}
    )
    picture("a.png")
    outcome = enhance("sr", "--weights", "bad.safetensors", "a.png", "b.png")
    assert outcome.code == 1
    assert "failed a.png" in outcome.err
    assert not (tmp_path / "b.png").exists()


def test_a_folder_that_cannot_be_written_fails_its_pictures_alone(enhance, picture, tmp_path):
    picture("in/a.png")
    picture("in/sub/b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").write_text("a file where a folder should be")
    outcome = enhance("sr", "--json", "in", "out")
    assert outcome.code == 3
    assert [one["status"] for one in outcome.of("file")] == ["done", "failed"]


def test_quiet_says_nothing_but_errors(enhance, picture, tmp_path):
    picture("a.png")
    outcome = enhance("sr", "--quiet", "a.png")
    assert (outcome.code, outcome.out, outcome.err) == (0, b"", "")
    (tmp_path / "bad.png").write_text("no picture")
    outcome = enhance("sr", "-q", "bad.png")
    assert outcome.err.count("\n") == 1 and "bad.png" in outcome.err


def test_debug_shows_the_traceback(enhance, tmp_path):
    (tmp_path / "bad.png").write_text("no picture")
    assert "Traceback" in enhance("sr", "--debug", "bad.png").err
    assert "Traceback" in enhance("sr", "--debug", "nothing.png").err
    assert "Traceback" in enhance("--debug", "sr", "nothing.png").err


def test_undecodable_names_survive(enhance, picture, tmp_path):
    path = picture("in/a.png")
    name = os.fsdecode(b"caf\xe9.png")
    try:
        path.rename(tmp_path / "in" / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    outcome = enhance("sr", "--json", "in", "out")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out.splitlines()[1])["input"] == os.path.join("in", name)
    assert (tmp_path / "out" / name).is_file()
    assert enhance("sr", "--json", "in", "out").of("summary")[0]["current"] == 1


def test_spoilt_weights_are_refused_unless_asked_for(enhance, picture, tmp_path):
    picture("a.png", 40, 40)
    parameters = {"scale": 2, "n_feats": 4, "n_blocks": 1}
    architecture = ARCHITECTURES["compact"]
    net, spec = architecture.build(**parameters), architecture.spec(**parameters)
    *_, last = (module for module in net.modules() if isinstance(module, torch.nn.Conv2d))
    torch.nn.init.constant_(last.bias, spec.value_range * 61 / 255)
    save_file(
        tmp_path / "tint.safetensors", net, arch="compact", parameters=parameters, task="sr", metadata={}
    )
    outcome = enhance("sr", "--weights", "tint.safetensors", "a.png", "b.png")
    assert outcome.code == 1 and "shifted" in outcome.err and "--weights" in outcome.err
    assert files_in(tmp_path) == ["a.png", "tint.safetensors"]
    outcome = enhance("sr", "--json", "--unchecked", "--weights", "tint.safetensors", "a.png", "b.png")
    assert outcome.code == 0, outcome.err
    assert "--unchecked" in outcome.of("file")[0]["warning"]
