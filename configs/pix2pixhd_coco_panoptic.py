"""COCO's 133 panoptic classes at 256x256: G1 alone, two discriminators."""

_base_ = [
    "_base_/systems/pix2pixhd.py",
    "_base_/datasets/coco_panoptic.py",
    "_base_/schedules/gan_200_epochs.py",
    "_base_/runtime.py",
]

model = dict(generator=dict(num_enhancers=0, base_channels=64), discriminator=dict(num_scales=2))
