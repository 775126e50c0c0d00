"""Adam at a constant 1e-4 for the generator, 4e-4 for the discriminator, beta1 0."""

optimizers = dict(
    generator=dict(type="Adam", lr=1e-4, betas=(0.0, 0.999), fused=True),
    discriminator=dict(type="Adam", lr=4e-4, betas=(0.0, 0.999), fused=True),
)
param_scheduler = []
train_cfg = dict(max_epochs=200, val_interval=10)
