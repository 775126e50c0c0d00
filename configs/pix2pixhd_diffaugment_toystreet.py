"""Discriminator ablation: differentiable augmentation inside pix2pixHD."""

_base_ = "pix2pixhd_toystreet.py"

_patches = dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=32)
model = dict(
    discriminator=dict(_delete_=True, type="DiffAugmentDiscriminator", discriminator=_patches)
)
