"""Where scenes come from: label map, instance map and photo."""

from i2ibench.datasets.camvid import CamVid
from i2ibench.datasets.cityscapes import Cityscapes
from i2ibench.datasets.paired_folder import PairedFolder
from i2ibench.datasets.pix2pixhd_folder import Pix2PixHDFolder
from i2ibench.datasets.shards import Shards
from i2ibench.datasets.toystreet import ToyStreet
from i2ibench.datasets.transforms import (
    RandomCrop,
    RandomFlip,
    Resize,
    RoundToMultiple,
    ScaleWidth,
)
