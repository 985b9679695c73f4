"""Against a server on this machine: whole, in parts, broken, hostile."""

import hashlib
import io
import stat
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from enhance_cli.bench import download
from enhance_cli.bench.datasets import KNOWN, Source
from enhance_cli.bench.download import fetch, get
from enhance_cli.bench.unpack import Limits, unpack
from enhance_cli.errors import EnhanceError, UsageError

FIVE = ("baby", "bird", "butterfly", "head", "woman")


class Server:
    """Serves `content`, and keeps what was asked of it."""

    def __init__(self) -> None:
        self.content = b""
        self.ranges = True
        self.cut: int | None = None
        """Break off after so many bytes of each answer."""
        self.says_length = True
        self.says_total = True
        """Say of a range how long the whole is."""
        self.status: int | None = None
        self.shift = 0
        """Answer a range from so many bytes further on."""
        self.asked: list[str | None] = []
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
        asked = request.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if self.status or (start and start >= len(self.content)):
            request.send_error(self.status or 416)
            return
        start += self.shift
        request.send_response(206 if asked and self.ranges else 200)
        if asked and self.ranges:
            size = len(self.content)
            request.send_header(
                "Content-Range", f"bytes {start}-{size - 1}/{size if self.says_total else '*'}"
            )
        body = self.content[start:]
        if self.says_length:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.cut])

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
    assert {path.name for path in root.iterdir()} <= {".Set5.get"}
    assert not list(root.glob(".Set5.get/unpacked"))
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
    assert seen[0] == (0, len(server.content)) and seen[-1] == (len(server.content),) * 2


def test_an_address_on_record_is_taken_unasked(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch):
    source = Source(url=server.url, sha256=sha(server.content), bytes=len(server.content))
    known = KNOWN["Set5"]
    monkeypatch.setitem(KNOWN, "Set5", type(known)(**{**vars(known), "source": source}))
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


def broken_off(server: Server, root: Path, at: int = 1000) -> Path:
    server.cut = at
    fails(server, root, f"broke off at {at} of {len(server.content)} bytes; run it again|IncompleteRead")
    server.cut = None
    (part,) = (root / ".Set5.get").iterdir()
    assert part.read_bytes() == server.content[:at]
    return part


def test_a_transfer_that_broke_off_goes_on(server: Server, root: Path):
    broken_off(server, root)
    assert fetched(server, root).complete
    assert server.asked == [None, "bytes=1000-"]


def test_a_server_without_ranges_sends_it_all_again(server: Server, root: Path):
    server.ranges = False
    broken_off(server, root)
    assert fetched(server, root).complete
    assert server.asked == [None, "bytes=1000-"]


def test_a_server_that_resumes_elsewhere_is_not_believed(server: Server, root: Path):
    broken_off(server, root)
    server.shift = 7
    fails(server, root, "sent bytes from 1007 on instead of 1000")


def test_a_damaged_part_is_fetched_again_from_its_start(server: Server, root: Path):
    part = broken_off(server, root)
    part.write_bytes(b"?" * 1000)
    assert fetched(server, root).complete
    assert server.asked == [None, "bytes=1000-", None]


@pytest.mark.parametrize("known", [True, False])
def test_a_part_that_is_longer_than_the_whole_is_fetched_again(server: Server, root: Path, known: bool):
    part = broken_off(server, root)
    part.write_bytes(server.content + b"more")
    size = len(server.content) if known else None
    fetch(Source(url=server.url, sha256=sha(server.content), bytes=size), part)
    assert part.read_bytes() == server.content


def test_a_part_that_is_the_whole_is_not_fetched(server: Server, root: Path):
    part = broken_off(server, root)
    part.write_bytes(server.content)
    assert fetched(server, root).complete
    assert server.asked == [None, f"bytes={len(server.content)}-"]


def test_what_is_left_of_another_archive_is_not_gone_on_with(server: Server, root: Path):
    broken_off(server, root)
    server.content = zipped({f"HR/{name}.png": PNG for name in FIVE})
    assert fetched(server, root).complete
    assert server.asked == [None, None]
    assert [path.name for path in root.iterdir()] == ["Set5"]


def test_an_interrupted_transfer_goes_on(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(download, "CHUNK", 500)

    def interrupt(done: int, total: int | None) -> None:
        if done >= 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(server, root, on_bytes=interrupt)
    assert not (root / "Set5").exists()
    assert fetched(server, root).complete
    assert server.asked[1] == "bytes=1000-"


def test_an_interruption_while_unpacking_leaves_nothing_under_the_name(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(archive: Path, folder: Path, limits: Limits | None) -> None:
        unpack(archive, folder, limits)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "unpack", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetched(server, root)
    assert [path.name for path in root.iterdir()] == [".Set5.get"]
    assert fetched(server, root).complete


def test_a_wrong_checksum_keeps_nothing(server: Server, root: Path):
    fails(server, root, "has sha256 .* expected was 000000000000", sha256="0" * 64)
    assert not list(root.iterdir())


@pytest.mark.parametrize(
    ("says_length", "more", "message"),
    [
        (True, -1, "has {} bytes, expected were {}"),
        (True, 1, "has {} bytes, expected were {}"),
        (False, -1, "sends more than {1} bytes"),
        (False, 1, "broke off at {} of {} bytes"),
    ],
)
def test_a_wrong_length_is_refused(
    server: Server, tmp_path: Path, says_length: bool, more: int, message: str
):
    server.says_length = says_length
    there = len(server.content)
    source = Source(url=server.url, sha256=sha(server.content), bytes=there + more)
    with pytest.raises(EnhanceError, match=message.format(there, there + more)):
        fetch(source, tmp_path / "part")


def test_without_any_length_the_checksum_decides(server: Server, root: Path):
    server.says_length = False
    assert fetched(server, root).complete


def may_be_cut(server: Server, root: Path, at: int) -> None:
    fails(server, root, f"ended after {at} bytes .* may have broken off; run it again to go on")
    (part,) = (root / ".Set5.get").iterdir()
    assert part.read_bytes() == server.content[:at]


def test_a_transfer_without_any_length_may_have_broken_off_and_goes_on(server: Server, root: Path):
    server.says_length = server.says_total = False
    server.cut = 300
    may_be_cut(server, root, 300)
    may_be_cut(server, root, 600)
    server.cut = None
    assert fetched(server, root).complete
    assert server.asked == [None, "bytes=300-", "bytes=600-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_what_ends_twice_at_one_byte_without_any_length_is_wrong(server: Server, root: Path, ranges: bool):
    server.says_length, server.ranges = False, ranges
    fails(server, root, "may have broken off", sha256="0" * 64)
    fails(server, root, "has sha256 .* nothing was kept", sha256="0" * 64)
    assert not list(root.iterdir())


def test_more_than_anybody_has_room_for_is_refused(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
):
    server.says_length = False
    monkeypatch.setattr(download, "MOST_BYTES", 100)
    fails(server, root, "sends more than 100 bytes")
    assert not list(root.iterdir())


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
    "zip twice": (zipped({"a.png": PNG, "./a.png": PNG}), "cannot be unpacked"),
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
    assert not list(root.iterdir()), "the archive is of no use"


@pytest.mark.parametrize(
    "pack", [zipped, lambda members: tarred((tarfile.TarInfo("a.png"), members["a.png"]))]
)
def test_bombs_stop_at_the_limit(tmp_path: Path, pack):
    archive = tmp_path / "bomb"
    archive.write_bytes(pack({"a.png": bytes(20 << 20)}))
    limits = Limits(ratio=2, allowance=1 << 20)
    with pytest.raises(EnhanceError, match="unpacks to more than"):
        unpack(archive, tmp_path / "out", limits)
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert written <= limits.bytes_of(archive) + (1 << 20)


def long_name(size: int) -> bytes:
    """A tar.gz whose only member has a name of so many bytes, and says so in a GNU header."""
    info = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    return tarred((info, b"n" * size), (tarfile.TarInfo("a.png"), PNG))


def attributes(size: int, kind: bytes = tarfile.XHDTYPE) -> bytes:
    record = b"%d comment=" % size
    info = special("././@PaxHeader", kind)
    return tarred((info, record + b"c" * (size - len(record) - 1) + b"\n"), (tarfile.TarInfo("a.png"), PNG))


def headers(count: int) -> bytes:
    """Many headers before one file, each small."""
    infos = [(special("././@LongLink", tarfile.GNUTYPE_LONGNAME), b"n" * 1000) for _ in range(count)]
    return tarred(*infos, (tarfile.TarInfo("a.png"), PNG))


def sparse() -> bytes:
    """A sparse file whose map, in GNU's version 1.0, has no end."""
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}
    return tarred((info, b"99999999\n" + b"1\n" * (2 << 20)))


@pytest.mark.parametrize(
    "content",
    [
        long_name(40 << 20),
        attributes(40 << 20),
        attributes(40 << 20, tarfile.XGLTYPE),
        headers(100),
        sparse(),
    ],
    ids=["long name", "attributes", "attributes of all", "many headers", "map of a sparse file"],
)
def test_headers_of_a_tar_are_not_taken_into_memory_whatever_their_size(tmp_path: Path, content: bytes):
    archive = tmp_path / "bomb.tgz"
    archive.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(EnhanceError, match="a header of more than 65536 bytes"):
            unpack(archive, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_attributes_of_many_files_do_not_add_up(tmp_path: Path):
    archive = tmp_path / "set.tgz"
    record = b"".join(b"8 k%03d=\n" % number for number in range(1000))
    common = (special("././@PaxHeader", tarfile.XGLTYPE), record)
    archive.write_bytes(tarred(common, *((tarfile.TarInfo(f"{number}"), b"") for number in range(1000))))
    tracemalloc.start()
    try:
        unpack(archive, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert len(list((tmp_path / "out").iterdir())) == 1000


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


def test_files_that_are_left_out_count_as_well(tmp_path: Path):
    archive = tmp_path / "bomb.tgz"
    archive.write_bytes(
        tarred((tarfile.TarInfo("__MACOSX/a"), bytes(20 << 20)), (tarfile.TarInfo("a.png"), PNG))
    )
    with pytest.raises(EnhanceError, match="unpacks to more than"):
        unpack(archive, tmp_path / "out", Limits(ratio=2, allowance=1 << 20))


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_which_a_little_may_become_very_much_is_refused(tmp_path: Path, kind: int):
    archive = tmp_path / "set.zip"
    archive.write_bytes(zipped({"a.png": bytes(40 << 20)}, kind))
    tracemalloc.start()
    try:
        with pytest.raises(EnhanceError, match="not compressed by deflate"):
            unpack(archive, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


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


def test_many_files_stop_at_the_limit(tmp_path: Path):
    archive = tmp_path / "many"
    archive.write_bytes(zipped({f"{number}/": b"" for number in range(11)}))
    with pytest.raises(EnhanceError, match="more than 10 files"):
        unpack(archive, tmp_path / "out", Limits(members=10))


def test_the_usual_limits_let_real_sets_pass():
    limits = Limits()
    assert limits.members > 2 * 3214  # GoPro: blurred and sharp, training and test


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
    assert not server.asked


def test_a_root_that_cannot_be_written_is_one_line(server: Server, root: Path):
    root.write_text("a file")
    with pytest.raises(EnhanceError, match=r"cannot write to .*data .*Set5 is not there"):
        fetched(server, root)


def test_what_is_on_record_has_a_checksum_and_a_size():
    for known in KNOWN.values():
        if known.source:
            assert known.source.url.startswith("https://")
            assert len(bytes.fromhex(known.source.sha256)) == 32
            assert known.source.bytes
