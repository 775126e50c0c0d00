"""The demo: the whole of pix2pixHD, encoder included, at a size that trains in minutes on a CPU."""

_base_ = [
    "_base_/systems/pix2pixhd_small.py",
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

# One downsampling: a car of 20 pixels keeps its own colours.
model = dict(encoder=dict(type="InstanceEncoder", base_channels=16, num_downsamplings=1))
param_scheduler = [dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=2, end=6)]
train_cfg = dict(max_epochs=5)  # one less than the baselines, so that the demo stays short
# Of instances below 1/512 of the image, 64 pixels, little can be seen: they make no modes.
hooks = dict(styles=dict(type="FitStyleBank", interval=2, max_scenes=100, min_area=1 / 512))
