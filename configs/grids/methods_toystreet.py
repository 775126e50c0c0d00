"""Methods (the paper's Table 1); the VGG loss needs downloaded weights and is left out."""

axes = dict(
    method=dict(
        pix2pix="../pix2pix_toystreet.py",
        crn="../crn_toystreet.py",
        pix2pixhd="../pix2pixhd_toystreet.py",
    )
)
seeds = [0, 1, 2]
