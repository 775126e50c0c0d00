"""SPADE on ToyStreet at 256x128, at an eighth of its width, with pixels in the place of VGG19."""

_base_ = [
    "_base_/systems/spade.py",
    "_base_/datasets/toystreet.py",
    "_base_/schedules/gan_short.py",
    "_base_/runtime.py",
]

model = dict(
    generator=dict(base_channels=8, hidden_channels=32, num_upsamplings=4, norm_type="instance"),
    discriminator=dict(discriminator=dict(base_channels=32)),
    losses=dict(perceptual=None, pixel=dict(type="PixelLoss", weight=10.0)),
)
