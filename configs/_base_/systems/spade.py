"""SPADE: its generator, two patch discriminators with spectral and instance norm, hinge loss.

Feature matching and VGG19 as in pix2pixHD. The paper's figure has the discriminators' sizes;
two of them, and Adam's beta2 of 0.9, are its author's corrections (NVlabs/SPADE, issue 50).
"""

model = dict(
    type="PairedTranslator",
    generator=dict(type="SPADEGenerator"),
    discriminator=dict(
        type="SpectralNormDiscriminator",
        discriminator=dict(type="MultiScaleDiscriminator", num_scales=2),
    ),
    adversarial=dict(type="HingeGAN"),
    losses=dict(
        feature_matching=dict(type="FeatureMatching", weight=10.0),
        perceptual=dict(type="PerceptualLoss", weight=10.0),
    ),
)
