import pytest
import torch

from enhance_cli.errors import UsageError
from enhance_cli.train.state import State, check_same_run, read_state, state_path, write_state

RUN = {"recipe.lr": "0.001", "budget": "60 s"}


def test_a_state_comes_back_as_it_was_written(tmp_path):
    tensors = {"a": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last), "n": torch.tensor(7.0)}
    path = state_path(tmp_path / "w.safetensors")
    write_state(path, State(tensors, RUN))
    back = read_state(path)
    assert path.name == "w.safetensors.resume"
    assert back.run == RUN
    assert all(torch.equal(back.tensors[name], tensor) for name, tensor in tensors.items())


def test_nothing_to_resume_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"w\.resume is not there.* leave out --resume"):
        read_state(tmp_path / "w.resume")


@pytest.mark.parametrize("kept", [0, 5, 40, -1])
def test_a_damaged_state_is_a_usage_error_of_one_line(tmp_path, kept):
    path = tmp_path / "w.resume"
    write_state(path, State({"a": torch.rand(50)}, RUN))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UsageError, match="damaged") as error:
        read_state(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("left", [{"budget": "60 s"}, {**RUN, "recipe.lr": "0.002"}])
def test_another_run_is_named_by_what_differs(tmp_path, left):
    check_same_run(tmp_path / "w.resume", {**RUN, "commit": "abc"}, RUN)
    with pytest.raises(UsageError, match=r"recipe\.lr = (unknown|0\.002), not 0\.001"):
        check_same_run(tmp_path / "w.resume", left, RUN)
