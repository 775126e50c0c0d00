"""Data sets that a config can name: each finds the files of its scenes on the disk."""

from i2ibench.data.datasets.camvid import CamVid
from i2ibench.data.datasets.cityscapes import Cityscapes
from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.datasets.pix2pixhd_folder import Pix2PixHDFolder
from i2ibench.data.datasets.shards import Shards
from i2ibench.data.datasets.toystreet import ToyStreet
