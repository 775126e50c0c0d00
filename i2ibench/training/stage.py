"""A stage of a run: its config, parsed once, with everything that is built from it."""

from pathlib import Path

from mmengine.config import Config

from i2ibench.data.loaders import build_datasets, build_loader
from i2ibench.io.devices import best_device
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.build import build_translator
from i2ibench.training.distributed import synchronises_batch_norms
from i2ibench.training.hooks.build import build_hooks
from i2ibench.training.hooks.random_states import seed_everything
from i2ibench.training.initial_weights import initial_weights
from i2ibench.training.mmengine_options import runner_options
from i2ibench.training.optimizers import optimizers_of
from i2ibench.training.preflight import check_alike
from i2ibench.training.saved_state import SavedState
from i2ibench.training.schedules import schedules_of
from i2ibench.training.validation import build_validation


class Stage:
    """A stage of a run, or a run without stages: each part of its config is built here, once.

    A stage that waits has its weights in the computer's memory, and nothing else of size.

    Args:
        config: of the stage.
        saved: the state that the stage goes on from; None for one that begins.

    Attributes:
        work_dir: where the stage writes.
        seed: of everything random.
        options: of mmengine's Runner.
        train_data, val_data: the data sets.
        train_loader, val_loader: read these.
        translator: built under the stage's seed.
        optimizers: of the translator's networks.
        hooks: those that the config chooses.
        metrics: of the validation, by name.
        sync_batch_norm: whether batch norms take their statistics over all processes.
        initial: the weights of `start_from`, for a stage that begins with them; or None.

    Raises:
        UserError: the config has a mistake, or the data is not there.
    """

    def __init__(self, config: Config, saved: SavedState | None = None) -> None:
        self.config, self.saved = config, saved
        self.work_dir = Path(config.work_dir)
        self.seed: int = config.get("seed", 0)
        self.options = runner_options(config)
        choice = config.get("sync_batch_norm", False)
        self.sync_batch_norm = synchronises_batch_norms(choice, best_device())
        seed_everything(self.seed)
        self.train_data, self.val_data = build_datasets(config)
        check_alike(self.train_data.metainfo, self.val_data.metainfo)
        self.translator: Translator = build_translator(config, self.train_data.metainfo)
        self.optimizers = optimizers_of(config, self.translator)
        self.train_loader = build_loader(self.train_data, config.train_dataloader, True, self.seed)
        self.val_loader = build_loader(self.val_data, config.val_dataloader, training=False)
        networks, updates = self.translator.networks(), len(self.train_loader)
        self.options["param_scheduler"] = schedules_of(
            config, networks, self.optimizers, self.epochs, updates
        )
        self.metrics = build_validation(config.get("protocol"), self.val_data.metainfo)
        self.hooks = build_hooks(config.get("hooks", {}))
        self.initial = (
            initial_weights(config.get("start_from"), self.translator, self.train_data)
            if saved is None
            else None
        )

    @property
    def epochs(self) -> int:
        """Return after how many epochs the stage ends."""
        epochs: int = self.options["train_cfg"]["max_epochs"]
        return epochs

    @property
    def is_complete(self) -> bool:
        """Return whether nothing is left to train or to validate."""
        return self.saved is not None and self.saved.is_complete(self.epochs)
