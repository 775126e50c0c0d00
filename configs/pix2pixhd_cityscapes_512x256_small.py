"""Cityscapes at 512x256 with the small system, which a laptop trains."""

_base_ = [
    "_base_/systems/pix2pixhd_small.py",
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/gan_200_epochs.py",
    "_base_/runtime.py",
]

_size = dict(type="Resize", width=512, height=256)
train_dataloader = dict(dataset=dict(transforms=[_size, dict(type="RandomFlip")]), num_workers=2)
val_dataloader = dict(dataset=dict(transforms=[_size]))
protocol = dict(width=512, height=256)
