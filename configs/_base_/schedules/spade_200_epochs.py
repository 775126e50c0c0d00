"""Adam at 1e-4 for the generator, 4e-4 for the discriminator; after 100 of 200 epochs down to 0."""

optimizers = dict(
    generator=dict(type="Adam", lr=1e-4, betas=(0.0, 0.9), fused=True),
    discriminator=dict(type="Adam", lr=4e-4, betas=(0.0, 0.9), fused=True),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=99, end=200),
]
train_cfg = dict(max_epochs=200, val_interval=10)
