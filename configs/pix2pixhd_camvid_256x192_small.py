"""Labels to photos on CamVid, at a size that a laptop trains; CamVid has no instance maps."""

_base_ = [
    "_base_/systems/pix2pixhd_small.py",
    "_base_/datasets/camvid.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]
