"""The demo's pix2pixHD: pix2pixhd_toystreet.py with better images in the same minutes.

Deviations from the paper's system: nearest-neighbour upsampling and reflected borders in the
generator, spectral norm and hinge loss, and an average of the weights.
"""

_base_ = "pix2pixhd_spectral_hinge_toystreet.py"

model = dict(generator=dict(upsampling="nearest", padding_mode="reflect"))
amp = "bf16"
param_scheduler = [dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=2, end=5)]
train_cfg = dict(max_epochs=4, val_interval=4)
hooks = dict(
    average=dict(type="ExponentialMovingAverage"), styles=dict(interval=4), log=dict(interval=50)
)
# The demo leaves out the scores that translate each scene again and again.
protocol = dict(
    samples=1, metrics=dict(style_features=None, style_control=None, colour_diversity=None)
)
