"""The core's and the contributed parts keep the contracts that third parties' parts are held to."""

# ruff: noqa: F403
from i2ibench.testing.test_datasets import *
from i2ibench.testing.test_discriminators import *
from i2ibench.testing.test_encoders import *
from i2ibench.testing.test_executors import *
from i2ibench.testing.test_features import *
from i2ibench.testing.test_generators import *
from i2ibench.testing.test_hooks import *
from i2ibench.testing.test_losses import *
from i2ibench.testing.test_metrics import *
from i2ibench.testing.test_preprocessors import *
from i2ibench.testing.test_protocols import *
from i2ibench.testing.test_readers import *
from i2ibench.testing.test_segmenters import *
from i2ibench.testing.test_transforms import *
from i2ibench.testing.test_translators import *
