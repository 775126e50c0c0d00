"""Pickles of arrays are read; anything else in them is refused and does not run."""

import io
import os
import pickle

import numpy as np
import pytest

from i2ibench.inference.interop.pickled_arrays import load_arrays


@pytest.mark.parametrize("module", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_of_either_numpy_come_back(module, protocol):
    arrays = {"a": [np.arange(3.0)], 1: np.float32(0.5)}
    content = pickle.dumps(arrays, protocol)
    old = content.replace(b"numpy._core.multiarray", module)
    if protocol == 4 and old != content:
        pytest.skip("lengths are written in front of names")
    found = load_arrays(io.BytesIO(old))
    assert np.array_equal(found["a"][0], arrays["a"][0]) and found[1] == arrays[1]


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_what_is_no_array_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="it asks for (posix|nt).mkdir"):
        load_arrays(io.BytesIO(pickle.dumps({"a": Hostile()})))
    assert not list(tmp_path.iterdir())
