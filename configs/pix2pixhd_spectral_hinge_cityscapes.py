"""Discriminator ablation: spectral norm and hinge loss inside the released pix2pixHD."""

_base_ = "pix2pixhd_cityscapes_1024x512_released.py"

_patches = dict(type="MultiScaleDiscriminator", num_scales=2)
model = dict(
    discriminator=dict(_delete_=True, type="SpectralNormDiscriminator", discriminator=_patches),
    adversarial=dict(_delete_=True, type="HingeGAN"),
)
