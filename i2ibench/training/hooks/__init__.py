"""Hooks of mmengine for training: checkpoints, log, averages, and checks of losses."""

from mmengine.hooks import Hook

from i2ibench.training.hooks.checkpoints import Checkpoints
from i2ibench.training.hooks.ema import ExponentialMovingAverage
from i2ibench.training.hooks.log import TrainingLog
from i2ibench.training.hooks.non_finite import SkipNonFinite, StopAtNonFinite
from i2ibench.training.hooks.preemption import Preempted, Preemption
from i2ibench.training.hooks.style_bank import FitStyleBank
from i2ibench.training.hooks.validation_images import ValidationImages
