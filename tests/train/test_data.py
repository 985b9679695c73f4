import numpy as np
import pytest
import torch
from PIL import Image

from enhance_cli.errors import UsageError
from enhance_cli.train.data import Bank, load_pack

CPU = torch.device("cpu")


def coordinates(height: int, width: int, label: int) -> np.ndarray:
    """A picture whose pixels tell their row, column and picture."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, label)], -1).astype(np.uint8)


def test_crops_are_windows_of_one_picture_in_one_of_eight_orientations():
    bank = Bank([coordinates(40, 60, 1), coordinates(70, 33, 2)], CPU)
    bank.generator.manual_seed(0)
    orientations, labels = set(), set()
    for crop in bank.crops(200, 17).long():
        rows, columns, label = crop
        assert len(label.unique()) == 1
        dy, dx = (rows[1, 0] - rows[0, 0]).item(), (columns[0, 1] - columns[0, 0]).item()
        if dy == 0:  # turned: rows run along the second axis
            rows, columns = rows.T, columns.T
            dy, dx, turned = (rows[1, 0] - rows[0, 0]).item(), (columns[0, 1] - columns[0, 0]).item(), True
        else:
            turned = False
        steps = torch.arange(17)
        assert torch.equal(rows, (rows[0, 0] + dy * steps)[:, None].expand(17, 17))
        assert torch.equal(columns, (columns[0, 0] + dx * steps)[None].expand(17, 17))
        orientations.add((dy, dx, turned))
        labels.add(label[0, 0].item())
    assert len(orientations) == 8
    assert labels == {1, 2}


def test_crops_reach_every_edge():
    bank = Bank([coordinates(20, 20, 0)], CPU)
    bank.generator.manual_seed(1)
    crops = bank.crops(300, 18)
    assert crops[:, 0].min() == 0 and crops[:, 0].max() == 19
    assert crops[:, 1].min() == 0 and crops[:, 1].max() == 19


def test_pictures_smaller_than_the_crop_are_left_out():
    bank = Bank([coordinates(10, 100, 1), coordinates(30, 30, 2)], CPU)
    assert (bank.crops(50, 20)[:, 2] == 2).all()


def test_crops_larger_than_every_picture_are_a_usage_error():
    with pytest.raises(UsageError, match=r"31x31 \(largest: 30\)"):
        Bank([coordinates(10, 100, 1), coordinates(30, 30, 2)], CPU).crops(1, 31)


def test_shrunk_crops_cover_more_of_the_picture():
    bank = Bank([coordinates(60, 60, 3)], CPU, shrink=(1.0, 2.0))
    bank.generator.manual_seed(0)
    torch.manual_seed(0)
    batches = [bank.crops(4, 20) for _ in range(12)]
    steps = {
        round(float((batch[:, 0].amax((1, 2)) - batch[:, 0].amin((1, 2))).mean()) / 19) for batch in batches
    }
    assert steps == {1, 2}
    assert all(batch.shape == (4, 3, 20, 20) and (batch == batch.round()).all() for batch in batches)
    alone = Bank([coordinates(60, 60, 3)], CPU, shrink=(3.0,)).crops(1, 20)[0, 0]
    assert alone.max() - alone.min() > 54
    # A window cannot be larger than the pictures.
    assert bank.crops(2, 50).shape == (2, 3, 50, 50)
    with pytest.raises(UsageError, match="largest: 60"):
        bank.crops(1, 61)


def test_flat_and_thin_pictures_do_no_harm():
    flat, thin = np.full((20, 20, 3), 7, np.uint8), coordinates(40, 1, 1)
    assert (Bank([flat, thin], CPU).crops(2, 16) == 7).all()


def test_weights_change_how_often_pictures_are_drawn():
    pictures = [np.full((32, 32, 3), label, np.uint8) + coordinates(32, 32, 0) % 2 for label in (10, 200)]
    bank = Bank(pictures, CPU, weights=(1.0, 9.0))
    bank.generator.manual_seed(0)
    assert 0.85 < float((bank.crops(400, 8)[:, 0, 0, 0] > 100).float().mean()) < 0.95


def test_every_picture_has_the_weight_of_its_pack(tmp_path):
    for pack, n in (("one", 1), ("two", 2)):
        (tmp_path / pack).mkdir()
        for number in range(n):
            Image.new("RGB", (8, 8)).save(tmp_path / pack / f"{number}.png")
    assert load_pack(tmp_path, ["one", "two"], "rgb").weights == [1, 1, 1]
    assert load_pack(tmp_path, ["one", "two"], "rgb", [0.5, 3]).weights == [0.5, 3, 3]


def test_same_seed_same_crops():
    bank = Bank([coordinates(40, 40, 0)], CPU)
    bank.generator.manual_seed(5)
    first = bank.crops(4, 8)
    bank.generator.manual_seed(5)
    assert torch.equal(first, bank.crops(4, 8))


def test_pack_is_read_in_the_colour_of_the_network(tmp_path):
    (tmp_path / "pack" / "deep").mkdir(parents=True)
    Image.new("RGB", (30, 20), (255, 255, 255)).save(tmp_path / "pack" / "white.png")
    Image.new("L", (30, 20), 255).save(tmp_path / "pack" / "deep" / "white.png")
    rgb = load_pack(tmp_path, ["pack"], "rgb")
    assert [p.shape for p in rgb.pictures] == [(20, 30, 3)] * 2
    luma = load_pack(tmp_path, ["pack"], "y").pictures
    gray = load_pack(tmp_path, ["pack"], "gray").pictures
    assert {p.max() for p in luma} == {235, 255}  # studio luma of the RGB file; gray files stay
    assert {p.max() for p in gray} == {255}


def test_fingerprint_follows_the_contents(tmp_path):
    (tmp_path / "pack").mkdir()
    path = tmp_path / "pack" / "a.png"
    Image.new("RGB", (8, 8), (1, 2, 3)).save(path)
    before = load_pack(tmp_path, ["pack"], "rgb").sha256
    Image.new("RGB", (8, 8), (1, 2, 4)).save(path)
    assert load_pack(tmp_path, ["pack"], "rgb").sha256 != before


def test_empty_pack_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="--data"):
        load_pack(tmp_path, ["pack_a"], "rgb")
