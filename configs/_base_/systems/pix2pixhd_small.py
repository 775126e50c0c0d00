"""pix2pixHD at a quarter of the width or less; a pixel loss in the place of VGG's.

The pixel loss needs no downloaded weights and steadies the colours of short runs; the paper has
none.
"""

model = dict(
    type="PairedTranslator",
    generator=dict(
        type="CoarseToFineGenerator",
        num_enhancers=1,
        base_channels=16,
        num_downsamplings=2,
        num_blocks=6,
        num_enhancer_blocks=2,
    ),
    discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=32),
    adversarial=dict(type="LeastSquaresGAN"),
    losses=dict(
        feature_matching=dict(type="FeatureMatching", weight=10.0),
        pixel=dict(type="PixelLoss", weight=10.0),
    ),
)
