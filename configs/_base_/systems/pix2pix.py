"""pix2pix: U-Net, 70x70 patches, cross entropy and 100 times L1, D updated first."""

model = dict(
    type="PairedTranslator",
    generator=dict(type="UNetGenerator"),
    discriminator=dict(
        type="PatchDiscriminator",
        padding=1,
        norm_type="batch",
        bias_before_norm=False,
        zero_bias=True,
    ),
    adversarial=dict(type="VanillaGAN"),
    losses=dict(pixel=dict(type="PixelLoss", weight=100.0)),
    discriminator_first=True,
)
