"""What happens around the training loop."""

from i2ibench.hooks.checkpoints import Checkpoints
from i2ibench.hooks.ema import ExponentialMovingAverage
from i2ibench.hooks.log import TrainingLog
from i2ibench.hooks.non_finite import SkipNonFinite, StopAtNonFinite
from i2ibench.hooks.pictures import ValidationPictures
from i2ibench.hooks.preemption import Preempted, Preemption
from i2ibench.hooks.styles import FitStyleBank
