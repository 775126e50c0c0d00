"""What contributed parts change: ResNet-9 in pix2pix; two discriminators in pix2pixHD."""

axes = dict(
    method=dict(
        pix2pix="../pix2pix_toystreet.py",
        pix2pix_resnet9="../pix2pix_resnet9_toystreet.py",
        pix2pixhd="../pix2pixhd_toystreet.py",
        pix2pixhd_spectral_hinge="../pix2pixhd_spectral_hinge_toystreet.py",
        pix2pixhd_diffaugment="../pix2pixhd_diffaugment_toystreet.py",
    )
)
seeds = [0, 1, 2]
