"""SDM on ToyStreet at 256x128: 2 million parameters, 620 steps of four scenes.

These steps show that the system runs; its images are still noisy after them (docs/methods.md).
"""

_base_ = ["_base_/datasets/toystreet.py", "_base_/runtime.py"]

model = dict(
    type="SDMTranslator",
    widths=(32, 64, 96, 128),
    num_blocks=1,
    hidden_channels=16,
    settings=dict(guidance=1.0),
)
amp = "bf16"
train_dataloader = dict(batch_size=4)
optimizers = dict(
    denoiser=dict(
        type="AdamW", lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0, clip_grad=dict(max_norm=1.0)
    )
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=60),
    dict(type="LinearLR", start_factor=1.0, end_factor=0.02, by_epoch=False, begin=300, end=620),
]
train_cfg = dict(max_epochs=10, val_interval=10)
hooks = dict(average=dict(type="ExponentialMovingAverage"), checkpoints=dict(interval=10))
