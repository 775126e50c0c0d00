"""Loss terms, as in the paper's user study of its loss: GAN, GAN + FM, GAN + FM + VGG."""

base = "../pix2pixhd_cityscapes.py"
axes = dict(
    losses=dict(
        gan=dict(model=dict(losses=dict(feature_matching=None, perceptual=None))),
        gan_fm=dict(model=dict(losses=dict(perceptual=None))),
        gan_fm_vgg=dict(),
    )
)
seeds = [0, 1, 2]
