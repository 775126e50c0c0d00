"""OASIS: noise in every layer of the generator, one segmenting discriminator, no other loss."""

model = dict(
    type="PairedTranslator",
    generator=dict(type="OASISGenerator"),
    discriminator=dict(type="SegmentationDiscriminator"),
    adversarial=dict(type="OASISLoss"),
)
