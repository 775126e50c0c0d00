import codecs
import os

import pytest

from i2ibench.errors import UserError
from i2ibench.io.files import (
    read_json,
    read_text,
    require_possible_names,
    write_private,
    write_text,
)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_private_file_is_so_before_anything_is_in_it(tmp_path, monkeypatch):
    opened = []
    write_bytes = type(tmp_path).write_bytes

    def watched(path, *arguments, **options):
        opened.append(path.stat().st_mode & 0o777)
        return write_bytes(path, *arguments, **options)

    monkeypatch.setattr(type(tmp_path), "write_bytes", watched)
    path = tmp_path / "key"
    for text in ("secret\n", "another\n"):
        write_private(path, text)
        assert path.read_text() == text
        assert path.stat().st_mode & 0o777 == 0o600
    assert opened == [0o600] * 2
    assert list(tmp_path.iterdir()) == [path]


TEXT = "# 我的 «forêt»\nzwei\n"


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_text_is_utf_8_with_or_without_a_mark(tmp_path, mark, line_end):
    path = tmp_path / "text"
    path.write_bytes(mark + TEXT.replace("\n", line_end).encode())
    assert read_text(path) == TEXT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TEXT.encode("utf-16"), ["UTF-16", "byte 0 (0xff)", "save it as UTF-8"]),
        (TEXT.encode("utf-16-be"), ["byte 0 is zero", "UTF-16"]),
        ("sky".encode("utf-16-le"), ["byte 1 is zero", "UTF-16"]),
        ("# 我的".encode("gbk"), ["byte 2 (0xce)", "save it as UTF-8"]),
        (codecs.BOM_UTF8 + "ab é".encode("cp1252"), ["byte 6 (0xe9)"]),
    ],
)
def test_text_in_another_encoding_is_refused_with_the_byte_and_the_way_out(tmp_path, content, said):
    (tmp_path / "note.txt").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_text(tmp_path / "note.txt")
    for part in [*said, "note.txt"]:
        assert part in str(caught.value)


def test_json_is_read_with_a_mark_and_refused_with_its_name(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(codecs.BOM_UTF8 + '["天空"]'.encode())
    assert read_json(path) == ["天空"]
    for broken in ("[1", "[" * 200_000):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(UserError, match=r"a\.json cannot be read as JSON"):
            read_json(path)


def test_text_is_written_as_it_is(tmp_path):
    write_text(tmp_path / "a.csv", "é\r\nb\n")
    assert (tmp_path / "a.csv").read_bytes() == b"\xc3\xa9\r\nb\n"


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "街" * 83 + ".png", "-rf", "a.b.c"])
def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path, name):
    write_text(tmp_path / name, "text")
    require_possible_names([tmp_path / name])
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.name == "nt", reason="Windows counts letters")
def test_a_name_that_is_too_long_is_refused_before_the_work(tmp_path):
    for name in ("x" * 254 + "_0", "街" * 84 + ".png"):
        with pytest.raises(UserError, match="256 bytes"):
            require_possible_names([tmp_path / "a", tmp_path / name])
