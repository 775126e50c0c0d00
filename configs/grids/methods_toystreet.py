"""Methods (the paper's Table 1) and three later ones; without VGG19's loss, which needs weights."""

axes = dict(
    method=dict(
        pix2pix="../pix2pix_toystreet.py",
        crn="../crn_toystreet.py",
        pix2pixhd="../pix2pixhd_toystreet.py",
        spade="../spade_toystreet.py",
        oasis="../oasis_toystreet.py",
        flow="../flow_toystreet.py",
    )
)
seeds = [0, 1, 2]
