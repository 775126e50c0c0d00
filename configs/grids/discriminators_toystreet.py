"""One, two or three discriminators (the paper's Table 5)."""

base = "../pix2pixhd_toystreet.py"
axes = dict(
    discriminators=dict(
        one=dict(model=dict(discriminator=dict(num_scales=1))),
        two=dict(model=dict(discriminator=dict(num_scales=2))),
        three=dict(model=dict(discriminator=dict(num_scales=3))),
    )
)
seeds = [0, 1, 2]
