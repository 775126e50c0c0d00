"""Unpickling: why torch refuses to open a file, in words that do not advise to run it."""

import re

_ASKED_FOR = re.compile(r"GLOBAL ([\w.]+)")


def why_unreadable(error: Exception) -> str:
    """Return the reason for which `torch.load(..., weights_only=True)` failed, in one line.

    torch's own messages advise to load the file with `weights_only=False`, which executes whatever
    is in it; that advice is left out.
    """
    text = str(error)
    if "TorchScript" in text:
        return "it is a TorchScript file, which is a program and no list of weights"
    asked = _ASKED_FOR.search(text)
    if asked:
        return (
            f"it asks for {asked[1]}, and a file of weights holds tensors and plain values only; "
            "nothing in it was run"
        )
    if "weights_only" in text:
        return "it holds something else than tensors and plain values; nothing in it was run"
    return next(iter(text.splitlines()), type(error).__name__) or type(error).__name__
