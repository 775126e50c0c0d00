"""The demo: the whole of pix2pixHD, encoder included, at a size that trains in minutes on a CPU."""

_base_ = [
    "_base_/systems/pix2pixhd.py",
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

model = dict(
    generator=dict(base_channels=16, num_downsamplings=3, num_blocks=4, num_enhancer_blocks=2),
    discriminator=dict(num_scales=2, base_channels=32),
    encoder=dict(type="InstanceEncoder", base_channels=8, num_downsamplings=2),
    losses=dict(perceptual=None),
)
hooks = dict(styles=dict(type="FitStyleBank", interval=2, max_scenes=100))
