"""Against a server on this machine: whole, broken, hostile."""

import gc
import hashlib
import io
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from enhance_cli.bench import download
from enhance_cli.bench.datasets.known import KNOWN_SETS, Archive
from enhance_cli.bench.download import get, unpack
from enhance_cli.errors import EnhanceError, UsageError

# pooch leaves it to the garbage collector to close a connection that failed.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
FIVE = ("baby", "bird", "butterfly", "head", "woman")


class Server:
    """Serves `content`."""

    def __init__(self) -> None:
        self.content = b""
        self.cut: int | None = None
        """Break off after so many bytes."""
        self.says_length = True
        self.status = 200
        self.n_asked = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/set.zip"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.n_asked += 1
        if self.status != 200:
            request.send_error(self.status)
            return
        request.send_response(200)
        if self.says_length:
            request.send_header("Content-Length", str(len(self.content)))
        request.end_headers()
        request.wfile.write(self.content[: self.cut])

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    server.content = zipped({f"Set5/{name}.png": PNG for name in FIVE})
    yield server
    server.close()
    gc.collect()


def zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link(name: str, target: str) -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, target)
    return file.getvalue()


def png() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((32, 32), 50).save(file, "PNG")
    return file.getvalue()


PNG = png()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fetched(server: Server, root: Path, name: str = "Set5", **options):
    return get(name, root, url=server.url, sha256=sha(server.content), **options)


def fails(server: Server, root: Path, message: str, **options) -> None:
    """It fails in one line, and nothing is there under the name, nor outside the root."""
    options = {"sha256": sha(server.content), **options}
    with pytest.raises(EnhanceError, match=message) as caught:
        get("Set5", root, url=server.url, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1
    assert not list(root.iterdir())
    assert {path.name for path in root.parent.iterdir()} == {root.name}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_set_arrives_whole_and_nothing_else_stays(server: Server, root: Path):
    seen = []
    found = fetched(server, root, on_bytes=lambda done, total: seen.append((done, total)))
    assert (found.name, found.complete, found.folder) == ("Set5", True, root / "Set5")
    assert {path.name for path in (root / "Set5").iterdir()} == {f"{name}.png" for name in FIVE}
    assert (root / "Set5" / "baby.png").read_bytes() == PNG
    assert [path.name for path in root.iterdir()] == ["Set5"]
    assert seen[-1] == (len(server.content),) * 2


def test_an_address_on_record_is_taken_unasked(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch):
    archive = Archive(url=server.url, sha256=sha(server.content), bytes=len(server.content))
    monkeypatch.setitem(KNOWN_SETS, "Set5", replace(KNOWN_SETS["Set5"], archive=archive))
    assert get("set-5", root).complete


def test_tar_archives_and_layouts_below_other_folders_are_unpacked(server: Server, root: Path):
    names = [f"./benchmark/Set5/HR/{name}.png" for name in FIVE]
    folder = special("./benchmark", tarfile.DIRTYPE)
    server.content = tarred((folder, b""), *((tarfile.TarInfo(name), PNG) for name in names))
    assert fetched(server, root).complete
    assert (root / "Set5" / "HR" / "woman.png").read_bytes() == PNG


def test_what_macos_adds_is_left_behind(server: Server, root: Path):
    server.content = zipped(
        {"Set5/": b"", **{f"Set5/{one}.png": PNG for one in FIVE}, "__MACOSX/Set5/._a.png": b"x"}
    )
    assert fetched(server, root).complete


def test_an_incomplete_archive_is_told_of(server: Server, root: Path):
    server.content = zipped({f"{name}.png": PNG for name in FIVE[1:]})
    assert fetched(server, root).problem.endswith("missing: baby")


@pytest.mark.parametrize("says_length", [True, False])
def test_a_transfer_that_broke_off_keeps_nothing_and_can_be_run_again(
    server: Server, root: Path, says_length: bool
):
    server.says_length, server.cut = says_length, 1000
    fails(server, root, "cannot be fetched" if says_length else "has another sha256")
    server.cut = None
    assert fetched(server, root).complete


def test_an_interrupted_transfer_leaves_nothing(server: Server, root: Path):
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(server, root, on_bytes=interrupt)
    assert not list(root.iterdir())


def test_an_interruption_while_unpacking_leaves_nothing(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(archive: Path, folder: Path) -> None:
        unpack(archive, folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "unpack", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetched(server, root)
    assert not list(root.iterdir())
    assert fetched(server, root).complete


def test_a_wrong_checksum_keeps_nothing(server: Server, root: Path):
    fails(server, root, r"has another sha256 than 000000000000\.\.\.", sha256="0" * 64)


@pytest.mark.parametrize("says_length", [True, False])
def test_more_than_is_on_record_is_refused(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch, says_length: bool
):
    monkeypatch.setattr(download, "CHUNK_BYTES", 100)
    server.says_length = says_length
    archive = Archive(url=server.url, sha256=sha(server.content), bytes=len(server.content) - 200)
    monkeypatch.setitem(KNOWN_SETS, "Set5", replace(KNOWN_SETS["Set5"], archive=archive))
    with pytest.raises(EnhanceError, match=f"sends more than {archive.bytes} bytes; nothing was kept"):
        get("Set5", root)
    assert not list(root.iterdir())


def test_without_any_length_the_checksum_decides(server: Server, root: Path):
    server.says_length = False
    assert fetched(server, root).complete


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_answer_that_is_an_error_says_so(server: Server, root: Path, status: int):
    server.status = status
    fails(server, root, rf"cannot be fetched \({status} ")


def test_a_server_that_is_not_there_is_one_line(server: Server, root: Path):
    server.url = "http://127.0.0.1:9/set.zip"
    fails(server, root, "cannot be fetched .*refused")


HOSTILE = {
    "zip up": (zipped({"../evil.png": PNG}), "leads out of its folder"),
    "zip far up": (zipped({"Set5/../../../evil.png": PNG}), "leads out of its folder"),
    "zip folder up": (zipped({"../evil/": b"", "a.png": PNG}), "leads out of its folder"),
    "zip absolute": (zipped({"/evil.png": PNG}), "leads out of its folder"),
    "zip windows": (zipped({"..\\evil.png": PNG}), "leads out of its folder"),
    "zip drive": (zipped({"C:evil.png": PNG}), "leads out of its folder"),
    "zip link": (zip_link("Set5/a.png", "/etc/passwd"), "link or device"),
    "zip file as folder": (zipped({"a": b"", "a/b.png": PNG}), "cannot be unpacked"),
    "zip long name": (zipped({"n" * 300 + ".png": PNG}), "cannot be unpacked"),
    "tar up": (tarred((tarfile.TarInfo("../evil.png"), PNG)), "leads out of its folder"),
    "tar absolute": (tarred((tarfile.TarInfo("/evil.png"), PNG)), "leads out of its folder"),
    "tar link": (tarred((special("a.png", tarfile.SYMTYPE, "/etc/passwd"), b"")), "link or device"),
    "tar folder link": (
        tarred((special("a", tarfile.SYMTYPE, ".."), b""), (tarfile.TarInfo("a/evil.png"), PNG)),
        "link or device",
    ),
    "tar hard link": (tarred((special("a.png", tarfile.LNKTYPE, "/etc/passwd"), b"")), "link or device"),
    "tar device": (tarred((special("a.png", tarfile.CHRTYPE), b"")), "link or device"),
    "tar pipe": (tarred((special("a.png", tarfile.FIFOTYPE), b"")), "link or device"),
    "tar cut": (tarred((tarfile.TarInfo("a.png"), PNG * 9), mode="w")[:2000], "cannot be unpacked"),
    "gzip cut": (tarred((tarfile.TarInfo("a.png"), PNG * 9))[:-200], "cannot be unpacked"),
    "zip cut": (zipped({"a.png": PNG})[:-30], "neither a zip nor a tar"),
    "zip damaged": (
        zipped({"a.png": PNG}, zipfile.ZIP_STORED).replace(PNG[100:110], b"0123456789"),
        "cannot be unpacked",
    ),
    "text": (b"404 but with status 200", "neither a zip nor a tar"),
    "empty": (zipped({}), "no test set"),
    "no pictures": (zipped({"a/readme.txt": b"", "b/readme.txt": b""}), "no test set"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_and_damaged_archives_are_refused_whole(server: Server, root: Path, kind: str):
    server.content, message = HOSTILE[kind]
    fails(server, root, message)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the size of an archive and 1 MiB may come out of it, and ten files."""
    for name, value in (("RATIO", 2), ("ALLOWANCE_BYTES", 1 << 20), ("MOST_FILES", 10)):
        monkeypatch.setattr(download, name, value)


@pytest.mark.parametrize(
    "pack", [zipped, lambda members: tarred(*((tarfile.TarInfo(name), x) for name, x in members.items()))]
)
@pytest.mark.parametrize("name", ["a.png", "__MACOSX/a"])
def test_bombs_stop_at_the_limit(tmp_path: Path, small_limits, pack, name: str):
    archive = tmp_path / "bomb"
    archive.write_bytes(pack({"b.png": PNG, name: bytes(20 << 20)}))
    with pytest.raises(EnhanceError, match="unpacks to more than"):
        unpack(archive, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= len(PNG)


def test_names_and_attributes_of_usual_length_are_read(tmp_path: Path):
    name = "/".join(["n" * 100] * 3)
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        archive, out = tmp_path / f"{kind}.tar", tmp_path / f"out{kind}"
        with tarfile.open(archive, "w:xz", format=kind) as file:
            info = tarfile.TarInfo(name)
            info.size = len(PNG)
            file.addfile(info, io.BytesIO(PNG))
        unpack(archive, out)
        assert (out / name).read_bytes() == PNG


@pytest.mark.parametrize(
    "content",
    [
        zipped({"../" + "n" * 9999: PNG}),
        zipped({"n" * 9999: PNG}),
        zip_link("n" * 9999, "a"),
        tarred((tarfile.TarInfo("/" + "n" * 9999), PNG)),
        tarred((special("n" * 9999, tarfile.SYMTYPE), b"")),
    ],
    ids=["zip up", "zip", "zip link", "tar absolute", "tar link"],
)
def test_long_names_are_shortened_in_messages(tmp_path: Path, content: bytes):
    archive = tmp_path / "set"
    archive.write_bytes(content)
    with pytest.raises(EnhanceError) as caught:
        unpack(archive, tmp_path / "out")
    assert len(str(caught.value)) < 200


def test_memory_that_does_not_suffice_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(self: zipfile.ZipExtFile, size: int) -> bytes:
        raise MemoryError

    archive = tmp_path / "set"
    archive.write_bytes(zipped({"a.png": PNG}))
    monkeypatch.setattr(zipfile.ZipExtFile, "read", full)
    with pytest.raises(EnhanceError, match=r"set cannot be unpacked \(MemoryError\)"):
        unpack(archive, tmp_path / "out")


def test_many_files_stop_at_the_limit(tmp_path: Path, small_limits):
    archive = tmp_path / "many"
    archive.write_bytes(zipped({f"{number}/": b"" for number in range(11)}))
    with pytest.raises(EnhanceError, match="more than 10 files"):
        unpack(archive, tmp_path / "out")


def test_the_usual_limits_let_real_sets_pass():
    assert download.MOST_FILES > 2 * 3214  # GoPro: blurred and sharp, training and test


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Urban100", {}, r"no address with a known checksum .* data/Urban100 yourself, from SelfExSR"),
        ("Mine", {}, "no test set 'Mine' is known.*DIV2K-valid"),
        ("Builtin", {}, "comes with the package"),
        ("../evil", {"url": "http://h/a", "sha256": "0" * 64}, "is no name"),
        (".hidden", {"url": "http://h/a", "sha256": "0" * 64}, "is no name"),
        ("Set5", {"url": "http://h/a"}, "belong together"),
        ("Set5", {"sha256": "0" * 64}, "belong together"),
        ("Set5", {"url": "file:///etc/passwd", "sha256": "0" * 64}, "no http"),
        ("Set5", {"url": "http://[abc/x.zip", "sha256": "0" * 64}, "no http"),
        ("Set5", {"url": "http://h:port/x.zip", "sha256": "0" * 64}, "no http"),
        ("Set5", {"url": "http://:80/x.zip", "sha256": "0" * 64}, "no http"),
        ("Set5", {"url": "http://h/a", "sha256": "abc"}, "not 64 hexadecimal digits"),
    ],
)
def test_what_cannot_be_fetched_is_a_usage_error(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: dict, message: str
):
    monkeypatch.chdir(root.parent)
    with pytest.raises(UsageError, match=message) as caught:
        get(name, Path("data"), **options)
    assert "\n" not in str(caught.value)
    assert not root.exists()


def test_a_set_that_is_there_is_not_fetched_again(server: Server, root: Path):
    (root / "set_5" / "HR").mkdir(parents=True)
    (root / "set_5" / "HR" / "baby.png").write_bytes(PNG)
    with pytest.raises(UsageError, match=r"Set5 is there already, in .*set_5; remove it"):
        fetched(server, root)
    assert not server.n_asked


def test_a_root_that_cannot_be_written_is_one_line(server: Server, root: Path):
    root.write_text("a file")
    with pytest.raises(EnhanceError, match=r"cannot write to .*data .*Set5 is not there"):
        fetched(server, root)


def test_what_is_on_record_has_a_checksum_and_a_size():
    for known in KNOWN_SETS.values():
        if known.archive:
            assert known.archive.url.startswith("https://")
            assert len(bytes.fromhex(known.archive.sha256)) == 32
            assert known.archive.bytes
