import os

import pytest

from i2ibench.files import write_private


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
