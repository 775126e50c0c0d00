"""Labels to photos on CamVid, at a size that a laptop trains; CamVid has no instance maps."""

_base_ = [
    "_base_/systems/pix2pixhd.py",
    "_base_/datasets/camvid.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

model = dict(
    generator=dict(base_channels=16, num_downsamplings=3, num_blocks=4, num_enhancer_blocks=2),
    discriminator=dict(num_scales=2, base_channels=32),
    losses=dict(perceptual=None),
)
