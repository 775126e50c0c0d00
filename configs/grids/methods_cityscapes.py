"""Methods (the paper's Table 1) and three later ones, each by its own config."""

axes = dict(
    method=dict(
        pix2pix="../pix2pix_cityscapes.py",
        crn="../crn_cityscapes.py",
        pix2pixhd="../pix2pixhd_cityscapes.py",
        pix2pixhd_without_vgg="../pix2pixhd_cityscapes_without_vgg.py",
        spade="../spade_cityscapes.py",
        oasis="../oasis_cityscapes.py",
        flow="../flow_cityscapes.py",
    )
)
seeds = [0, 1, 2]
protocol = dict(type="cityscapes", resize="bicubic")  # each method at its own size
