"""Adam at 4e-4, linearly towards 0 over the second half of 10 epochs."""

optimizers = dict(
    generator=dict(type="Adam", lr=4e-4, betas=(0.5, 0.999)),
    discriminator=dict(type="Adam", lr=4e-4, betas=(0.5, 0.999)),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=5, end=10),
]
train_cfg = dict(max_epochs=10, val_interval=2)
