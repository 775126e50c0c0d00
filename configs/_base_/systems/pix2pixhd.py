"""pix2pixHD as in the paper: {G1, G2}, three discriminators, LSGAN, feature matching, VGG."""

model = dict(
    type="PairedTranslator",
    generator=dict(type="CoarseToFineGenerator", num_enhancers=1, base_channels=32),
    discriminator=dict(type="MultiScaleDiscriminator"),
    adversarial=dict(type="LeastSquaresGAN"),
    losses=dict(
        feature_matching=dict(type="FeatureMatching", weight=10.0),
        perceptual=dict(type="PerceptualLoss", weight=10.0),
    ),
)
