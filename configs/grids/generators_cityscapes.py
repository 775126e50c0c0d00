"""Generators inside the same losses at 1024x512 (the paper's Tables 3 and 4)."""

base = "../pix2pixhd_cityscapes_1024x512_released.py"
axes = dict(
    generator=dict(
        coarse_to_fine=dict(),
        unet=dict(model=dict(generator=dict(_delete_=True, type="UNetGenerator", num_levels=9))),
        crn=dict(model=dict(generator=dict(_delete_=True, type="CRNGenerator", height=512))),
    )
)
seeds = [0, 1, 2]
