"""Loss terms on ToyStreet: GAN alone, with feature matching, and with the pixel term as well.

The paper's grid has the VGG loss in the pixel loss's place (loss_terms_cityscapes.py).
"""

base = "../pix2pixhd_toystreet.py"
axes = dict(
    losses=dict(
        gan=dict(model=dict(losses=dict(feature_matching=None, pixel=None))),
        gan_fm=dict(model=dict(losses=dict(pixel=None))),
        gan_fm_pixel=dict(),
    )
)
seeds = [0, 1, 2]
