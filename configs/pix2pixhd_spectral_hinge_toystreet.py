"""Discriminator ablation: spectral norm and hinge loss inside pix2pixHD."""

_base_ = "pix2pixhd_toystreet.py"

_patches = dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=32)
model = dict(
    discriminator=dict(_delete_=True, type="SpectralNormDiscriminator", discriminator=_patches),
    adversarial=dict(_delete_=True, type="HingeGAN"),
)
