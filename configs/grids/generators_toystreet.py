"""Generators inside the same losses (the paper's Tables 3 and 4)."""

axes = dict(
    generator=dict(
        coarse_to_fine="../pix2pixhd_toystreet.py",
        unet="../pix2pixhd_unet_toystreet.py",
        crn="../pix2pixhd_crn_toystreet.py",
    )
)
seeds = [0, 1, 2]
