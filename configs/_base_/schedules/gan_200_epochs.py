"""Adam at 2e-4 for 101 epochs, then linearly down to 1 % in the 200th, as pix2pixHD's code does."""

optimizers = dict(
    generator=dict(type="Adam", lr=2e-4, betas=(0.5, 0.999), fused=True),
    discriminator=dict(type="Adam", lr=2e-4, betas=(0.5, 0.999), fused=True),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=100, end=201),
]
train_cfg = dict(max_epochs=200, val_interval=10)
