"""Values that weights do not tell are read from option files, given by the user, or an error."""

import numpy as np
import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.interop import pix2pix
from i2ibench.inference.interop.conversion_options import ConversionOptions
from i2ibench.inference.interop.import_official import read_folder, write_checkpoint
from i2ibench.models.discriminators import PatchDiscriminator
from i2ibench.models.encoders import InstanceEncoder
from i2ibench.models.generators import UNetGenerator
from tests.official_files import CENTRES, HD, name_classes, write_hd, write_options, write_pix2pix
from tests.unit.inference.interop.test_pix2pix import Nested, ResNet


def convert(folder, **options):
    return read_folder(folder, ConversionOptions(**options))


def row(official, what):
    (found,) = [row for row in official.conversion.rows if row.what == what]
    return found


def image(official, tmp_path, source):
    """Return the image of a converted generator, float CHW, as translation makes it."""
    write_checkpoint(official, tmp_path / "native.pth")
    translator = open_checkpoint(tmp_path / "native.pth").translator
    data = {"name": ["s"], "source": source}
    return Inference(translator).predict(data)[0]["fake"].float()


SOURCE = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)


def test_dropout_of_the_u_net_is_asked_for(tmp_path):
    folder = write_pix2pix(tmp_path / "official")
    with pytest.raises(UserError, match=r"Pass --dropout yes .* or --dropout no .*--no_dropout"):
        convert(folder)
    official = convert(folder, dropout=False)
    assert official.config["model"]["generator"]["dropout"] == 0.0
    assert row(official, "dropout").source == "the command"
    assert convert(folder, dropout=True).config["model"]["generator"]["dropout"] == 0.5


@pytest.mark.parametrize("file", ["train_opt.txt", "opt.txt", "test_opt.txt"])
def test_dropout_is_read_from_the_runs_option_file(tmp_path, file):
    folder = write_pix2pix(tmp_path / "official")
    for no_dropout, expected in ((True, 0.0), (False, 0.5)):
        write_options(folder / file, no_dropout=no_dropout, ngf=2)
        official = convert(folder)
        assert official.config["model"]["generator"]["dropout"] == expected
        assert row(official, "dropout").source == f"{file}: no_dropout: {no_dropout}"
    both = convert(folder, dropout=False)
    assert row(both, "dropout").source == f"the command ({file}: no_dropout: False)"


def test_a_shallow_u_net_has_no_dropout_and_nothing_is_asked(tmp_path):
    official = convert(write_pix2pix(tmp_path / "official", num_levels=5))
    assert official.config["model"]["generator"]["dropout"] == 0.0


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
@pytest.mark.parametrize("evaluation", [False, True])
def test_images_of_a_u_net_without_dropout_equal_the_nested_form(tmp_path, norm, evaluation):
    """Batch norm takes the image's own statistics, or with --eval those of the training."""
    nested = Nested(3, 6, 4, norm)
    for module in nested.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    (tmp_path / "official").mkdir()
    torch.save(nested.state_dict(), tmp_path / "official" / "latest_net_G.pth")
    official = convert(tmp_path / "official", dropout=False, evaluation_mode=evaluation)
    fake = image(official, tmp_path, SOURCE)
    with torch.no_grad():
        expected = nested.train(not evaluation)(SOURCE / 127.5 - 1)[0]
    assert (fake - (expected + 1) * 127.5).abs().max() < 0.51


def test_the_mode_at_test_time_is_read_from_test_opt(tmp_path):
    folder = write_pix2pix(tmp_path / "official", options={"no_dropout": True})
    assert "test.py without --eval" in row(convert(folder), MODE).source
    assert convert(folder).config["model"]["generator"]["always_train"] is True
    write_options(folder / "test_opt.txt", eval=True, no_dropout=False)
    official = convert(folder)
    assert (
        official.config["model"]["generator"] | {"always_train": False, "dropout": 0.0}
        == (official.config["model"]["generator"])
    )
    assert row(official, MODE).source == "test_opt.txt: eval: True"


MODE = "batch norm and dropout in images"


@pytest.mark.parametrize("dropout", [False, True])
def test_dropout_of_the_resnet_is_in_its_weights_and_no_file_may_deny_it(tmp_path, dropout):
    (tmp_path / "official").mkdir()
    state = ResNet(3, 4, nn.BatchNorm2d, dropout).state_dict()
    torch.save(state, tmp_path / "official" / "latest_net_G.pth")
    official = convert(tmp_path / "official")
    assert row(official, "dropout").source == "the weights"
    assert row(official, "dropout").value == ("yes" if dropout else "no")
    with pytest.raises(UserError, match="--dropout says that dropout is"):
        convert(tmp_path / "official", dropout=not dropout)
    write_options(tmp_path / "official" / "train_opt.txt", no_dropout=dropout)
    with pytest.raises(UserError, match=r"train_opt.txt says that dropout is .* residual blocks"):
        convert(tmp_path / "official")


@pytest.mark.parametrize(
    "generator", [Nested(3, 3, 4, nn.BatchNorm2d), ResNet(3, 4, nn.BatchNorm2d, False)]
)
def test_a_network_trained_without_norm_is_refused_not_given_one(tmp_path, generator):
    """Its weights are those of batch norm's convolutions, which have no bias, without the norm."""
    norms = [n for n, m in generator.named_modules() if isinstance(m, nn.BatchNorm2d)]
    state = {k: v for k, v in generator.state_dict().items() if k.rpartition(".")[0] not in norms}
    with pytest.raises(UserError, match="--norm none"):
        pix2pix.generator_from_official(state)


def test_an_option_file_of_another_network_is_refused(tmp_path):
    folder = write_hd(tmp_path / "official", **HD["local with encoder"])
    right = {"ngf": 2, "netG": "local", "n_local_enhancers": 1, "n_blocks_global": 1,
             "n_downsample_global": 2, "n_blocks_local": 1, "norm": "instance", "num_D": 2,
             "ndf": 4, "n_layers_D": 3, "feat_num": 3, "nef": 2, "n_downsample_E": 2,
             "label_nc": 35, "no_instance": False, "instance_feat": True,
             "output_nc": 3}  # fmt: skip
    write_options(folder / "opt.txt", **right)
    official = convert(folder)
    assert row(official, "condition").source == "opt.txt: label_nc: 35"
    wrong = {"ngf": 64, "netG": "global", "n_local_enhancers": 2, "n_blocks_global": 9,
             "n_downsample_global": 4, "n_blocks_local": 3, "norm": "batch", "num_D": 3, "ndf": 64,
             "n_layers_D": 4, "feat_num": 4, "nef": 16, "n_downsample_E": 4, "output_nc": 1,
             "no_instance": True, "label_nc": 30}  # fmt: skip
    for name, value in wrong.items():
        write_options(folder / "opt.txt", **{**right, name: value})
        with pytest.raises(UserError, match=name if name != "label_nc" else "does not fit"):
            convert(folder)


def test_the_labels_that_are_assumed_are_said_to_be(tmp_path):
    official = convert(write_hd(tmp_path / "official", **HD["global"]))
    assert row(official, "condition").value == "35 labels and instance boundaries"
    assert row(official, "condition").source.startswith("assumed: the released code's default")
    assert official.config["data_preprocessor"] == {"type": "LabelPreprocessor", "boundaries": True}
    other = convert(tmp_path / "official", num_labels=36)
    assert other.config["data_preprocessor"]["boundaries"] is False
    assert other.metainfo["classes"][35] == "class 35"


@pytest.mark.parametrize(
    ("channels", "options", "condition"),
    [
        (3, {"label_nc": 0, "no_instance": True}, {"type": "ImagePreprocessor"}),
        (4, {"label_nc": 0, "no_instance": False},
         {"type": "ConditionPreprocessor", "condition": ["image", "instances"]}),
        (3, {"label_nc": 3, "no_instance": True},
         {"type": "LabelPreprocessor", "boundaries": False}),
        (3, {"label_nc": 2, "no_instance": False},
         {"type": "LabelPreprocessor", "boundaries": True}),
        (36, {"label_nc": 36, "no_instance": True},
         {"type": "LabelPreprocessor", "boundaries": False}),
    ],
)  # fmt: skip
def test_the_condition_is_read_from_the_option_file(tmp_path, channels, options, condition):
    official = convert(write_hd(tmp_path / "official", channels, options=options))
    assert official.config["data_preprocessor"] == condition


def test_grey_images_are_made_of_one_channel(tmp_path):
    """pix2pix with output_nc 1, whose discriminator sees the condition and that channel."""
    folder = write_pix2pix(tmp_path / "official", num_levels=4)
    grey = UNetGenerator(3, out_channels=1, num_levels=4, base_channels=2, always_train=False)
    torch.save(pix2pix.generator_names(grey.state_dict()), folder / "latest_net_G.pth")
    with pytest.raises(UserError, match="judges 6 channels, but .* have 4"):
        convert(folder, evaluation_mode=True)
    judge = PatchDiscriminator(4, base_channels=2, padding=1, norm_type="batch")
    torch.save(pix2pix.discriminator_names(judge.state_dict()), folder / "latest_net_D.pth")
    official = convert(folder, evaluation_mode=True)
    assert row(official, "images").value == "grey" and official.metainfo["image_channels"] == 1
    assert official.config["model"]["discriminator"]["type"] == "PatchDiscriminator"
    fake = image(official, tmp_path, SOURCE)
    with torch.no_grad():
        expected = grey.eval()(SOURCE / 127.5 - 1)[0]
    assert (fake[:1] - (expected + 1) * 127.5).abs().max() < 0.51


def test_images_of_other_channels_are_refused(tmp_path):
    folder = write_pix2pix(tmp_path / "official", num_levels=3)
    two = UNetGenerator(3, out_channels=2, num_levels=3, base_channels=2)
    torch.save(pix2pix.generator_names(two.state_dict()), folder / "latest_net_G.pth")
    with pytest.raises(UserError, match="makes images of 2 channels"):
        convert(folder)
    (folder / "latest_net_D.pth").unlink()
    one = UNetGenerator(1, num_levels=3, base_channels=2)
    torch.save(pix2pix.generator_names(one.state_dict()), folder / "latest_net_G.pth")
    with pytest.raises(UserError, match="takes images of 1 channels"):
        convert(folder, num_labels=0)
    with pytest.raises(UserError, match="--labels"):
        convert(folder)


def test_features_that_no_encoder_makes_are_refused(tmp_path):
    folder = write_hd(tmp_path / "official", 39, options={"label_nc": 35, "instance_feat": True})
    with pytest.raises(UserError, match="does not fit a condition of 39"):
        convert(folder)
    write_options(folder / "opt.txt", instance_feat=True)
    with pytest.raises(UserError, match="needs its latest_net_E.pth"):
        convert(folder)
    with pytest.raises(UserError, match="has no latest_net_E.pth, whose features"):
        convert(folder, num_labels=39)


def test_what_features_are_averaged_over_is_read(tmp_path):
    folder = write_hd(tmp_path / "official", 35, encoder=True)
    assert "assumed" in row(convert(folder), "features are averaged over").source
    write_options(folder / "opt.txt", label_feat=True, instance_feat=False, no_instance=True)
    assert "give them as instance maps" in row(convert(folder), "features are averaged over").value
    both = write_hd(tmp_path / "both", 36, encoder=True, options={"label_feat": True})
    with pytest.raises(UserError, match="label_feat"):
        convert(both)


def test_the_k_means_file_is_found_by_any_number_of_clusters(tmp_path):
    folder = write_hd(tmp_path / "official", 36, encoder=True, clusters=CENTRES)
    file = folder / "features_clustered_010.npy"
    file.rename(folder / "features_clustered_005.npy")
    assert row(convert(folder), "styles").value == "4 modes of 2 classes"
    np.save(file, np.array({7: CENTRES[7]}, dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="several K-means files"):
        convert(folder)
    write_options(folder / "opt.txt", n_clusters=10)
    assert row(convert(folder), "styles").value == "1 modes of 1 classes"


def test_classes_are_named_by_a_list_of_all_of_them(tmp_path):
    folder = write_hd(tmp_path / "official", **HD["five labels"])
    official = convert(folder, classes=name_classes(tmp_path / "data", 5))
    assert official.metainfo["classes"][1] == "kind 1"
    assert official.metainfo["thing_ids"] == {"1": 1}
    with pytest.raises(UserError, match="has 5 labels, whose ids are 0 to 4"):
        convert(folder, classes=name_classes(tmp_path / "other", 4))


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        ({}, {"type": "cityscapes"}),
        ({"resize_or_crop": "scale_width", "loadSize": 1024},
         {"type": "cityscapes", "width": 1024, "height": 512}),
        ({"resize_or_crop": "none", "loadSize": 1024},
         {"type": "cityscapes", "width": 2048, "height": 1024}),
    ],
)  # fmt: skip
def test_cityscapes_is_scored_at_the_size_of_the_run(tmp_path, options, protocol):
    folder = write_hd(tmp_path / "official", 36, options=options)
    assert convert(folder).config["protocol"] == protocol


def test_files_of_another_epoch_are_named(tmp_path):
    folder = write_hd(tmp_path / "official", 36)
    (folder / "latest_net_G.pth").rename(folder / "200_net_G.pth")
    with pytest.raises(UserError, match=r"no latest_net_G.pth. It has 200_net_G.pth: copy"):
        convert(folder)
    (folder / "200_net_G.pth").unlink()
    with pytest.raises(UserError, match=r"has no latest_net_G.pth.$"):
        convert(folder)


def test_the_direction_of_pix2pix_is_said(tmp_path):
    folder = write_pix2pix(tmp_path / "official", options={"no_dropout": True})
    assert row(convert(folder), "direction").source == "not known"
    write_options(folder / "train_opt.txt", no_dropout=True, direction="BtoA")
    assert row(convert(folder), "direction").value == "source/ holds B's images"


def test_an_option_file_that_is_none_is_refused(tmp_path):
    folder = write_hd(tmp_path / "official", 36)
    (folder / "opt.txt").write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(UserError, match="is no option file: it is not UTF-8"):
        convert(folder)
    (folder / "opt.txt").write_text("label_nc: many\n")
    with pytest.raises(UserError, match="label_nc is a number, not 'many'"):
        convert(folder)
    (folder / "opt.txt").write_text("label_nc: 35\nno_instance: perhaps\n")
    with pytest.raises(UserError, match="no_instance is True or False, not 'perhaps'"):
        convert(folder)


def test_an_encoder_with_batch_norm_sees_each_photo_alone():
    """The released code translates one photo at a time and never leaves training mode."""
    encoder = InstanceEncoder(base_channels=2, num_downsamplings=2, norm_type="batch",
                              always_train=True).eval()  # fmt: skip
    photos, instances = torch.rand(2, 3, 64, 64), torch.zeros(2, 1, 64, 64, dtype=torch.int32)
    with torch.no_grad():
        together = encoder(photos, instances)
        alone = [encoder(p, i) for p, i in zip(photos.split(1), instances.split(1), strict=True)]
        expected = encoder.layers.train()(photos[:1]).mean((2, 3))
        tiles = encoder.in_tiles(photos, instances, (64, 64))
    assert torch.equal(together, torch.cat(alone))
    torch.testing.assert_close(together[:1].mean((2, 3)), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(tiles, together, atol=1e-5, rtol=1e-4)
