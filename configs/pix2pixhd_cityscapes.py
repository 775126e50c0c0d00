"""The paper's full-size system: 2048x1024 street scenes from labels and instance boundaries."""

_base_ = [
    "_base_/systems/pix2pixhd.py",
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/gan_200_epochs.py",
    "_base_/runtime.py",
]
