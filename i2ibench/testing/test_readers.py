"""A reader of image files promises endings of its own, and no traceback from any bytes."""

import pytest

from i2ibench.data.file_formats import EXTENSIONS
from i2ibench.data.registered_readers import read_with
from i2ibench.errors import UserError
from i2ibench.registry import READERS


@pytest.mark.contract("reader")
def test_a_reader_has_endings_that_nothing_else_reads(name):
    reader = READERS.build({"type": name})
    assert reader.suffixes, (
        f'a reader must name the endings of its files in .suffixes, as (".dcm",); {name} has none'
    )
    for suffix in reader.suffixes:
        assert suffix == suffix.lower() and suffix.startswith("."), f"{name}: {suffix!r}"
        assert suffix not in EXTENSIONS, f"{name}: {suffix} files are images that Pillow reads"
        others = [n for n in READERS.names() if suffix in READERS.build({"type": n}).suffixes]
        assert others == [name], f"{suffix} is read by {', '.join(others)}"


@pytest.mark.contract("reader")
@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"\x89PNG\r\n\x1a\n" + b"x" * 200])
def test_a_reader_refuses_what_is_no_file_of_its_own(name, data):
    with pytest.raises(UserError, match="scan"):
        read_with(READERS.build({"type": name}), data, "scan")
