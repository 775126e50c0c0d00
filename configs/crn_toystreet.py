"""CRN on ToyStreet at 256x128, a sixteenth of its width, on pixels alone (VGG19 if you have it)."""

_base_ = [
    "_base_/systems/crn.py",
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

model = dict(
    generator=dict(height=128, max_channels=64),
    losses=dict(refinement=None, pixel=dict(type="PixelLoss")),
)
optimizers = dict(
    generator=dict(lr=1e-3, betas=(0.9, 0.999)),
    discriminator=None,
)
