"""Flow matching on ToyStreet at 256x128, with styles of instances as in pix2pixHD.

4 million parameters, 1,240 steps of four scenes.
"""

_base_ = ["_base_/datasets/toystreet.py", "_base_/runtime.py"]

model = dict(
    type="FlowTranslator",
    widths=(48, 96, 144, 192),
    num_blocks=1,
    encoder=dict(type="InstanceEncoder", base_channels=16, num_downsamplings=1),
)
amp = "bf16"
train_dataloader = dict(batch_size=4)
optimizers = dict(
    denoiser=dict(
        type="AdamW", lr=6e-4, betas=(0.9, 0.99), weight_decay=0.0, clip_grad=dict(max_norm=1.0)
    )
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type="LinearLR", start_factor=1.0, end_factor=0.02, by_epoch=False, begin=600, end=1240),
]
train_cfg = dict(max_epochs=20, val_interval=10)
hooks = dict(
    average=dict(type="ExponentialMovingAverage"),
    styles=dict(type="FitStyleBank", interval=10, max_scenes=100, min_area=1 / 512),
    checkpoints=dict(interval=10),
)
