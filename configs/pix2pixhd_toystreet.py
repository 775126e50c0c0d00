"""The demo: the whole of pix2pixHD, encoder included, at a size that trains in minutes on a CPU."""

_base_ = [
    "_base_/systems/pix2pixhd_small.py",
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

model = dict(encoder=dict(type="InstanceEncoder", base_channels=8, num_downsamplings=2))
param_scheduler = [dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=2, end=6)]
train_cfg = dict(max_epochs=5)  # one less than the baselines, so that the demo stays short
hooks = dict(styles=dict(type="FitStyleBank", interval=2, max_scenes=100))
