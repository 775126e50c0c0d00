"""OASIS on ToyStreet at 256x128, at an eighth of its width."""

_base_ = [
    "_base_/systems/oasis.py",
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

data_preprocessor = dict(boundaries=False)
model = dict(
    generator=dict(
        base_channels=8,
        hidden_channels=32,
        num_upsamplings=4,
        norm_type="instance",
        noise_channels=8,
    ),
    discriminator=dict(base_channels=8),
)
optimizers = dict(
    generator=dict(betas=(0.0, 0.999)), discriminator=dict(lr=1e-3, betas=(0.0, 0.999))
)
