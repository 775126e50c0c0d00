"""What contributed parts change: ResNet-9 in pix2pix; two discriminators in pix2pixHD."""

axes = dict(
    method=dict(
        pix2pix="../pix2pix_cityscapes.py",
        pix2pix_resnet9="../pix2pix_resnet9_cityscapes.py",
        pix2pixhd="../pix2pixhd_cityscapes_1024x512_released.py",
        pix2pixhd_spectral_hinge="../pix2pixhd_spectral_hinge_cityscapes.py",
        pix2pixhd_diffaugment="../pix2pixhd_diffaugment_cityscapes.py",
    )
)
seeds = [0, 1, 2]
protocol = dict(type="cityscapes", resize="bicubic")  # each method at its own size
