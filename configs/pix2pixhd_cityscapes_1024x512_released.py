"""The released code's defaults: G1 alone at 1024x512, two discriminators."""

_base_ = [
    "_base_/systems/pix2pixhd.py",
    "_base_/datasets/cityscapes.py",
    "_base_/schedules/gan_200_epochs.py",
    "_base_/runtime.py",
]

_size = dict(type="ScaleWidth", width=1024)
model = dict(generator=dict(num_enhancers=0, base_channels=64), discriminator=dict(num_scales=2))
train_dataloader = dict(dataset=dict(transforms=[_size, dict(type="RandomFlip")]), num_workers=2)
val_dataloader = dict(dataset=dict(transforms=[_size]))
protocol = dict(width=1024, height=512)
