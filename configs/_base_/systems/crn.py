"""CRN at 512 rows: no discriminator, VGG19 and pixel differences."""

model = dict(
    type="PairedTranslator",
    generator=dict(type="CRNGenerator", height=512),
    losses=dict(refinement=dict(type="CRNLoss")),
)
