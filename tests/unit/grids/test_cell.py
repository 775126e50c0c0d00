"""The file of a cell: what no cell wrote is refused with the way to go on."""

import json

import pytest

from i2ibench.errors import UserError
from i2ibench.grids.cell import FILE, CellState, read_state, write_state
from i2ibench.io.file_integrity import add_checksum

FAULTS = {
    "a key that there is not": {"state": "done", "command": "x"},
    "a state that there is not": {"state": "os.system"},
    "a number for a text": {"error": 3},
    "a text for a number": {"seconds": "1"},
    "facts that are none": {"facts": []},
    "a time without end": {"seconds": float("inf")},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_no_cell_wrote_is_refused(fault, tmp_path):
    (tmp_path / FILE).write_text(json.dumps(add_checksum(FAULTS[fault])), encoding="utf-8")
    with pytest.raises(UserError, match=r"cell\.json is no state of a grid's cell. Delete it"):
        read_state(tmp_path, "a")


def test_a_state_is_read_as_it_was_written(tmp_path):
    state = CellState("done", "a", 2, 3, "", {"steps": 4})
    write_state(tmp_path, state)
    assert read_state(tmp_path, "a") == state
    assert read_state(tmp_path, "b") == CellState(hash="b")
