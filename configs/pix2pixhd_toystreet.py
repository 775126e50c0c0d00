"""The demo: the whole of pix2pixHD, encoder included, at a size that trains in minutes on a CPU."""

_base_ = [
    "_base_/systems/pix2pixhd_small.py",
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

model = dict(encoder=dict(type="InstanceEncoder", base_channels=8, num_downsamplings=2))
hooks = dict(styles=dict(type="FitStyleBank", interval=2, max_scenes=100))
