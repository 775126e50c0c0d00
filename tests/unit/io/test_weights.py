"""Why torch refuses a file: in one line, without the advice to run what is in it."""

import os
import pickle

import numpy as np
import pytest
import torch

from i2ibench.io.weights import why_unreadable


class Program:
    """Pickles as a call of os.system."""

    def __reduce__(self):
        return os.system, ("true",)


def reason(path):
    with pytest.raises(Exception) as caught:
        torch.load(path, weights_only=True)
    return why_unreadable(caught.value)


def write_cut(path):
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:1000])


WRITERS = {
    "a program": (lambda path: torch.save(Program(), path), "system"),
    "an array": (lambda path: torch.save(np.zeros(3), path), "it asks for numpy"),
    "a network": (lambda path: torch.save(torch.nn.ReLU(), path), "it asks for torch.nn.modules"),
    "an old pickle": (lambda path: path.write_bytes(pickle.dumps(Program())), "nothing in it"),
    "half a file": (write_cut, "zip archive"),
    "an empty file": (lambda path: path.write_bytes(b""), "EOFError"),
    "a text": (lambda path: path.write_bytes(b"hello world"), "101"),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", WRITERS)
def test_the_reason_is_one_line_without_torchs_advice(kind, tmp_path):
    write, expected = WRITERS[kind]
    write(tmp_path / "x.pth")
    text = reason(tmp_path / "x.pth")
    assert expected in text and "\n" not in text
    assert not any(word in text for word in ("weights_only", "safe_globals", "trust"))
