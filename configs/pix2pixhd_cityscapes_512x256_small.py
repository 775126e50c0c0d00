"""The reduced system that a laptop trains: 512x256, a quarter of the width, no VGG."""

_base_ = "pix2pixhd_cityscapes.py"

model = dict(
    generator=dict(base_channels=16, num_downsamplings=3, num_blocks=6),
    discriminator=dict(num_scales=2, base_channels=32),
    losses=dict(perceptual=None),
)
train_dataloader = dict(
    dataset=dict(transforms=[dict(type="Resize", width=512, height=256), dict(type="RandomFlip")]),
    num_workers=2,
)
val_dataloader = dict(dataset=dict(transforms=[dict(type="Resize", width=512, height=256)]))
