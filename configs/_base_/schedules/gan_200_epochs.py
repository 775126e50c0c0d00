"""Adam at 2e-4 for 100 epochs, then linearly towards 0 over 100 more."""

optimizers = dict(
    generator=dict(type="Adam", lr=2e-4, betas=(0.5, 0.999), fused=True),
    discriminator=dict(type="Adam", lr=2e-4, betas=(0.5, 0.999), fused=True),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=100, end=200),
]
train_cfg = dict(max_epochs=200, val_interval=10)
