"""Discriminator ablation: pretrained features (Projected GAN) inside pix2pixHD.

Needs timm (`pip install "i2ibench[projected]"`) and the weights of EfficientNet-Lite0.
"""

_base_ = "pix2pixhd_toystreet.py"

_patches = dict(type="PatchDiscriminator", base_channels=32)
model = dict(
    discriminator=dict(
        _delete_=True, type="ProjectedDiscriminator", discriminator=_patches, mixed_channels=32
    ),
    adversarial=dict(_delete_=True, type="HingeGAN"),
)
