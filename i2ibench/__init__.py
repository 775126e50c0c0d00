"""i2ibench: a modular benchmark for paired image translation.

    import i2ibench

    model = i2ibench.load("toystreet")
    image = model("label.png", "instance.png")

The names of the API are imported on first use, so that `i2ibench --help` does not wait for torch.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from i2ibench.api import Editing, Evaluation, Model, UserError, evaluate, load, train

__version__ = "0.1.0"

__all__ = ["Editing", "Evaluation", "Model", "UserError", "evaluate", "load", "train"]


def __getattr__(name: str) -> Any:
    """Import a name of the API (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'i2ibench' has no attribute {name!r}")
    # tqdm, which other packages import, tells every notebook to install ipywidgets.
    warnings.filterwarnings("ignore", message="IProgress not found")
    return getattr(import_module("i2ibench.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
