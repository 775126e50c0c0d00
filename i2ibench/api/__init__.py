"""The Python API of notebooks and programs, which `import i2ibench` offers."""

from i2ibench.api.editing import Editing
from i2ibench.api.evaluation import Evaluation, evaluate
from i2ibench.api.model import Model, load
from i2ibench.api.training import train
from i2ibench.errors import UserError

__all__ = ["Editing", "Evaluation", "Model", "UserError", "evaluate", "load", "train"]
