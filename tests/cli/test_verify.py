import json
import os


def states(outcome):
    return {os.path.basename(one["output"]): one["status"] for one in outcome.of("verified")}


def test_outputs_are_compared_with_their_records(enhance, picture, tmp_path):
    for name in ("a", "b", "sub/c", "sub/d"):
        picture(f"in/{name}.png")
    assert enhance("sr", "in", "out").code == 0
    whole = enhance("verify", "out", "--json")
    assert whole.code == 0, whole.err
    assert states(whole) == dict.fromkeys(["a.png", "b.png", "c.png", "d.png"], "intact")
    with open("out/a.png", "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    os.unlink("out/sub/c.png")
    picture("out/sub/mine.png")
    outcome = enhance("verify", "out", "--json")
    assert outcome.code == 3
    assert states(outcome) == {
        "a.png": "changed",
        "b.png": "intact",
        "c.png": "missing",
        "d.png": "intact",
        "mine.png": "unknown",
    }
    (summary,) = outcome.of("summary")
    assert summary == {
        "event": "summary",
        "schema": 1,
        "intact": 2,
        "changed": 1,
        "missing": 1,
        "failed": 0,
        "unknown": 1,
    }
    assert states(enhance("verify", "--no-recursive", "--json", "out")).keys() == {"a.png", "b.png"}
    told = enhance("verify", "out")
    assert told.out.decode().splitlines() == [
        "changed  out/a.png",
        "missing  out/sub/c.png",
        "unknown  out/sub/mine.png",
    ]
    assert "2 intact" in told.err and not enhance("verify", "-q", "out/b.png").err


def test_exit_codes_say_whether_anything_is_intact(enhance, picture):
    picture("a.png")
    assert enhance("sr", "a.png", "-o", "out/").code == 0
    assert enhance("verify", "out/a.png").code == 0
    picture("b.png")
    nothing = enhance("verify", "b.png")
    assert nothing.code == 1 and "no records" in nothing.err
    os.unlink("out/a.png")
    assert enhance("verify", "out").code == enhance("verify", "out/a.png").code == 1
    assert enhance("verify", "nowhere").code == 2


def test_what_lies_in_the_place_of_an_output_is_not_waited_for(enhance, picture):
    picture("a.png")
    assert enhance("sr", "a.png", "-o", "out/").code == 0
    os.unlink("out/a.png")
    os.mkfifo("out/a.png")
    assert states(enhance("verify", "--json", "out")) == {"a.png": "changed"}


def test_records_cannot_lead_out_of_their_folder(enhance, picture):
    picture("a.png")
    assert enhance("sr", "a.png", "-o", "out/").code == 0
    with open("out/.enhance-records.jsonl", "r+") as file:
        planted = {**json.loads(file.readline()), "output": "../a.png"}
        file.write(json.dumps(planted) + "\n" + "[" * 1000 + "\n")
    assert states(enhance("verify", "--json", "out")) == {"a.png": "intact"}
