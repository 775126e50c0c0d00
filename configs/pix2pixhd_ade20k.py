"""ADE20K's 150 classes at 256x256: G1 alone, two discriminators."""

_base_ = [
    "_base_/systems/pix2pixhd.py",
    "_base_/datasets/ade20k.py",
    "_base_/schedules/gan_200_epochs.py",
    "_base_/runtime.py",
]

model = dict(generator=dict(num_enhancers=0, base_channels=64), discriminator=dict(num_scales=2))
