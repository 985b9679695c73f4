import base64
import io
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bench_rows import COST, NASTY, PAPER, missed, row
from PIL import Image

from enhance_cli.bench.datasets.find import choose
from enhance_cli.bench.plan import Choice, plan
from enhance_cli.bench.protocols.sr import SuperResolution
from enhance_cli.bench.report import Row
from enhance_cli.bench.reports import html
from enhance_cli.bench.reports.html import HtmlReport
from enhance_cli.bench.run import ShownPictures, run
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import WriteError

VOID = {"meta", "img", "input"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")


class Page(HTMLParser):
    """The elements of a page; fails where tags are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of {tag} comes twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag.lower()

    def handle_data(self, data):
        if self.open:
            self.text.append((self.open[-1], data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def texts(self, tag: str) -> list[str]:
        return [text for name, text in self.text if name == tag]


def work_of(one: Row) -> SimpleNamespace:
    """What `run` would hand over with the pictures of that row."""
    return SimpleNamespace(
        dataset=SimpleNamespace(name=one.dataset, images=[score.image for score in one.scores]),
        setting=SuperResolution(2),
        model=one.model,
        net=SimpleNamespace(sha256=one.weights) if one.model else None,
    )


def shown(name: str, error: float, size: tuple[int, int, int] = (120, 200, 3)) -> ShownPictures:
    """A baseline that is off by 10 levels, and a result that is off by `error` in its right half."""
    reference = np.tile(np.linspace(60, 160, size[1]).astype(np.uint8)[:, None], (size[0], 1, size[2]))
    noise = np.where(np.indices(size).sum(0) % 2, 1, -1)
    result = reference + 10 * noise
    result[:, size[1] // 2 :] = reference[:, size[1] // 2 :] + (error * noise[:, size[1] // 2 :])
    baseline = reference + 10 * noise
    # As many pixels are as bad as before as are better or worse.
    gain = 10 * np.log10(200 / (100 + error**2))
    return ShownPictures(name, gain, baseline.astype(np.uint8), result.astype(np.uint8), reference)


def written(folder: Path, rows: list[Row], **options) -> str:
    """The page of these rows, each with a picture of its own gain for every score."""
    report = HtmlReport(folder, **options)
    for one in rows:
        for number, score in enumerate(one.scores):
            report.on_shown(work_of(one), shown(score.image, number))
    return report.finish(rows).read_text(encoding="utf-8")


@pytest.fixture
def nasty(tmp_path: Path) -> str:
    """A page of two settings, whose names of sets, networks, methods and files are as bad as can be."""
    rows = [
        row(
            NASTY, setting=setting, dataset=NASTY, paper=replace(PAPER, method=NASTY, source=NASTY), cost=COST
        )
        for setting in ("x2", "x3")
    ]
    rows = [replace(one, scores=tuple(replace(s, image=NASTY + s.image) for s in one.scores)) for one in rows]
    rows.append(row("other", dataset="Set14", gain=math.inf))
    report = HtmlReport(tmp_path, title=NASTY, command=NASTY)
    for one in rows:
        for number, score in enumerate(one.scores):
            report.on_shown(work_of(one), shown(score.image, number))
    return report.finish(rows, [missed(model=NASTY)]).read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_whole(nasty: str):
    page = Page(nasty)
    assert {"section", "table", "svg", "article", "details"} <= {name for name, _ in page.elements}
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 1
    assert {link["href"] for link in page.of("a")} == {f"#{name}" for name in ids}


def test_every_picture_has_words_and_a_size(nasty: str):
    images = Page(nasty).of("img")
    assert len(images) >= 10
    for image in images:
        assert image["alt"]
        data = base64.b64decode(image["src"].split(",", 1)[1])
        width, height = Image.open(io.BytesIO(data)).size
        assert int(image["width"]) / int(image["height"]) == pytest.approx(width / height)


def test_nothing_is_fetched_from_elsewhere(nasty: str):
    page = Page(nasty)
    for name, attributes in page.elements:
        for attribute, value in attributes.items():
            if attribute in ("src", "href"):
                assert value.startswith(("data:image/", "#")), (name, value[:40])
            assert attribute != "content" or "http" not in value
    for code in page.texts("style") + page.texts("script"):
        assert not re.search(r"https?:|//\w|@import|url\(", code)
    assert not {"link", "iframe", "object", "base", "form"} & {name for name, _ in page.elements}


def test_names_stay_text(nasty: str):
    page = Page(nasty)
    assert "b" not in {name for name, _ in page.elements}
    readable = NASTY[:-3] + "\ufffd" * 3
    assert page.texts("h1") == [readable]
    assert f"{readable}, sr" in page.texts("h2")


def test_headings_go_down_by_one_step(nasty: str):
    levels = [int(name[1]) for name, _ in Page(nasty).elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_the_page_shows_what_was_run_and_measured(tmp_path: Path):
    rows = [row(None), row("net", paper=PAPER, cost=COST), row("worse", gain=-1.0)]
    page = Page(written(tmp_path, rows, title="Mine", command="enhance bench --seed 7"))
    assert page.texts("title") == page.texts("h1") == ["Mine"]
    assert page.texts("code") == ["enhance bench --seed 7"]
    assert page.texts("dd") == ["matlab-y", "7"]
    cells = page.texts("td")
    assert {"bicubic", "net", "31.00", "33.00", "+2.00", "-1.00", "33.10 NET", "-0.10", "ab" * 32} <= set(
        cells
    )
    assert "NET: A paper, table 2" in page.texts("li")


def test_missed_gates_are_told(tmp_path: Path):
    rows = [row("net")]
    page = Page(HtmlReport(tmp_path).finish(rows, [missed()]).read_text(encoding="utf-8"))
    assert str(missed()) in page.texts("li")
    assert "Gates" not in HtmlReport(tmp_path).finish(rows).read_text(encoding="utf-8")


def test_each_picture_has_a_bar_for_each_network(tmp_path: Path):
    page = Page(written(tmp_path, [row("a"), row("b", gain=3.0)]))
    assert [text for text in page.texts("span")][:3] == ["bicubic 30.00", "a 32.00", "b 33.00"]
    widths = [float(bar["style"][6:-1]) for bar in page.of("i")]
    # From one below 30 dB to 35 dB.
    assert widths == pytest.approx(
        [100 * (v - 29) / 6 for v in (30, 32, 33, 31, 33, 34, 32, 34, 35)], abs=0.1
    )


def test_a_large_set_has_bars_for_its_first_pictures_only(tmp_path: Path):
    one = row("a", images=104)
    text = HtmlReport(tmp_path).finish([one]).read_text(encoding="utf-8")
    page = Page(text)
    assert page.texts("strong") == [f"{number}.png" for number in range(100)]
    assert "4 more pictures are not shown here" in text
    # Many bars are folded away at first.
    assert [("open" in one) for one in page.of("details")] == [False]


def test_networks_of_one_kind_are_one_line_and_papers_are_rings(tmp_path: Path):
    rows = [
        row("net-x2", setting="x2", paper=PAPER),
        row("net-x3", setting="x3"),
        row("other", setting="x2", gain=math.inf),
        row("other", setting="x3"),
    ]
    page = Page(written(tmp_path, rows))
    told = page.texts("title")[1:]
    assert told == [
        *("bicubic x2: 31.00 dB", "bicubic x3: 31.00 dB"),
        *("net x2: 33.00 dB", "net x3: 33.00 dB", "net x2, paper: 33.10 dB"),
        "other x3: 33.00 dB",
    ]
    assert not any("nan" in path["d"] or "inf" in path["d"] for path in page.of("path"))


def test_the_ensembles_of_one_kind_are_one_line_as_well(tmp_path: Path):
    rows = [replace(row(f"net-{at}+", setting=at), ensemble=True) for at in ("x2", "x3")]
    assert Page(written(tmp_path, rows)).texts("title")[3:] == ["net+ x2: 33.00 dB", "net+ x3: 33.00 dB"]


def test_one_setting_makes_no_plot(tmp_path: Path):
    assert not Page(written(tmp_path, [row("net")])).of("svg")


def test_the_worst_and_the_best_are_kept_in_whatever_order_they_come(tmp_path: Path):
    one = row("net", images=9)
    report = HtmlReport(tmp_path)
    for number in (4, 0, 8, 2, 6, 1, 7, 3, 5):
        report.on_shown(work_of(one), shown(f"{number}.png", number))
    page = Page(report.finish([one]).read_text(encoding="utf-8"))
    # The result of 8.png is off by most.
    assert [text.split()[0] for text in page.texts("h5")] == [
        f"{number}.png" for number in (8, 7, 6, 0, 1, 2)
    ]


@pytest.mark.parametrize(("images", "expected"), [(1, 1), (2, 2), (3, 3), (5, 5), (20, 6)])
def test_no_picture_is_shown_twice(tmp_path: Path, images: int, expected: int):
    titles = Page(written(tmp_path, [row("net", images=images)])).texts("h5")
    assert len(set(titles)) == len(titles) == expected


def test_the_crop_is_where_most_was_gained(tmp_path: Path):
    one = row("net", images=1)
    report = HtmlReport(tmp_path)
    report.on_shown(work_of(one), shown("0.png", 0, size=(120, 400, 3)))
    crops = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1]))))
        for image in Page(report.finish([one]).read_text(encoding="utf-8")).of("img")
        if image["alt"].startswith("crop")
    ]
    baseline, result, reference = (crop.astype(int) for crop in crops)
    assert reference.shape == (96, 96, 3)
    assert np.array_equal(result, reference)
    assert np.all(abs(baseline - reference) == 10)


@pytest.mark.parametrize("size", [(5, 3, 1), (7, 900, 3), (97, 100, 1)])
def test_pictures_of_any_size_can_be_shown(tmp_path: Path, size: tuple[int, int, int]):
    one = row("net", images=1)
    picture = shown("0.png", 1, size)
    report = HtmlReport(tmp_path)
    report.on_shown(work_of(one), picture)
    assert len(Page(report.finish([one]).read_text(encoding="utf-8")).of("img")) == 5


def test_a_luma_result_is_shown_beside_luma(tmp_path: Path):
    one = row("net", images=1)
    picture = shown("0.png", 1)
    report = HtmlReport(tmp_path)
    report.on_shown(work_of(one), replace(picture, result=picture.result[..., :1]))
    images = Page(report.finish([one]).read_text(encoding="utf-8")).of("img")
    modes = {Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1]))).mode for image in images}
    assert modes == {"L"}


def test_the_page_stays_below_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [row("a", images=6), row("b", images=6)]
    whole = written(tmp_path, rows)
    monkeypatch.setattr(html, "MAX_BYTES", len(whole) * 2 // 3)
    less = written(tmp_path, rows)
    assert len(less) <= html.MAX_BYTES
    titles = Page(less).texts("h5")
    assert 4 <= len(titles) < len(Page(whole).texts("h5")) == 12
    # Every row keeps its worst and its best.
    assert all(sum(title.startswith(f"{number}.png") for title in titles) == 2 for number in (0, 5))


def test_rows_without_a_network_or_pictures_have_no_gallery(tmp_path: Path):
    report = HtmlReport(tmp_path)
    report.on_shown(work_of(row(None)), replace(shown("0.png", 1), result=None))
    page = Page(report.finish([row(None), row("net", dataset="Set14")]).read_text(encoding="utf-8"))
    assert not page.of("img")
    assert "31.00" in page.texts("td")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError):
        HtmlReport(tmp_path / "file").finish([row()])


def test_a_real_run_shows_its_pictures(root: Path, tiny: Path, tmp_path: Path):
    report = HtmlReport(tmp_path / "new" / "page")
    works = plan(choose(["Set5", "Set12"], root), Choice(weights=(tiny,), task="sr"), named=True)
    rows = list(run(works, EngineSettings(device="cpu", threads=1), on_shown=report.on_shown))
    path = report.finish(rows)
    assert path == tmp_path / "new" / "page" / "index.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.texts("h5")) == 4
    shown_gains = sorted(text.split()[1] for text in page.texts("h5"))
    assert shown_gains == sorted(
        f"{s.metrics['psnr_y'] - s.baseline['psnr_y']:+.2f}" for one in rows for s in one.scores
    )


@needs_browser
def test_the_slider_works_in_a_browser(tmp_path: Path):
    text = written(tmp_path, [row("net", images=2)])
    assert Page(text).of("input") == []
    # The policy must let the page's own script run; only then may ours.
    dom = browsed(tmp_path / "index.html")
    assert len(re.findall('class="compare live"', dom)) == 2
    sliders = [one for one in Page(dom).of("input") if one["type"] == "range"]
    assert {one["aria-valuetext"] for one in sliders} == {"50 % bicubic"}
    moved = """
      const slider = document.querySelector(".compare input");
      slider.focus(); slider.value = 80; slider.dispatchEvent(new Event("input"));
      const after = slider.parentElement.querySelector("figure + figure");
      document.body.dataset.clip = getComputedStyle(after).clipPath;
      document.body.dataset.focused = document.activeElement === slider;
      const one = slider.getBoundingClientRect(), other = after.getBoundingClientRect();
      document.body.dataset.covers = one.width === other.width && one.height === other.height;
    """
    with_script(tmp_path / "index.html", text, moved)
    (body,) = Page(browsed(tmp_path / "index.html")).of("body")
    assert body == {"data-clip": "inset(0px 0px 0px 80%)", "data-focused": "true", "data-covers": "true"}


@needs_browser
@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(tmp_path: Path, width: int):
    name = "a_very_long_name_of_a_network_without_any_space_in_it_" * 2
    rows = [
        row(name, setting=setting, dataset=name, paper=PAPER, cost=COST, images=2) for setting in ("x2", "x3")
    ]
    text = written(tmp_path, rows, title=name, command=f"enhance bench {name * 4}")
    tell = """
      for (const folded of document.querySelectorAll("details")) folded.open = true;
      const root = document.documentElement;
      parent.postMessage(`${innerWidth} ${root.scrollWidth - root.clientWidth}`, "*");
    """
    with_script(tmp_path / "index.html", text, tell)
    # A browser's window cannot be as narrow as a phone, but a frame can.
    host = tmp_path / "host.html"
    host.write_text(
        "<body><script>onmessage = (event) => { document.body.dataset.told = event.data; }</script>"
        f'<iframe src="index.html" style="border:0" width="{width}" height="800"></iframe></body>'
    )
    (body,) = [one for tag, one in Loose(browsed(host)).elements if tag == "body"]
    assert body["data-told"] == f"{width} 0"


class Loose(Page):
    """Elements of a page that others wrote."""

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass


def with_script(path: Path, page: str, script: str) -> None:
    """Write a copy of the page in which a script of ours runs, too."""
    allowed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    assert allowed != page
    path.write_text(allowed.replace("</body>", f"<script>{{{script}}}</script></body>"), encoding="utf-8")


def browsed(path: Path) -> str:
    """The document as a browser has it after its scripts ran."""
    profile = path.parent / "profile"
    command = [
        *(BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"),
        *("--virtual-time-budget=3000", "--dump-dom", path.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode()
