"""Adam at 3e-4, down linearly to a quarter of it in the last of 6 epochs."""

optimizers = dict(
    generator=dict(type="Adam", lr=3e-4, betas=(0.5, 0.999), fused=True),
    discriminator=dict(type="Adam", lr=3e-4, betas=(0.5, 0.999), fused=True),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=2, end=7),
]
train_cfg = dict(max_epochs=6, val_interval=2)
