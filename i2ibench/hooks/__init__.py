"""What happens around the training loop."""

from i2ibench.hooks.checkpoints import Checkpoints
from i2ibench.hooks.log import TrainingLog
from i2ibench.hooks.pictures import ValidationPictures
from i2ibench.hooks.styles import FitStyleBank
