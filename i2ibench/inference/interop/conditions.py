"""Conditions: labels, boundaries, classes and sizes that official files were trained with.

They are read from option files and the command; what the released code assumes is said to be.
"""

from typing import Any

from i2ibench.data.classes import ClassTable
from i2ibench.data.datasets.pix2pixhd_folder import NUM_CITYSCAPES, numbered_classes, read_numbered
from i2ibench.errors import UserError
from i2ibench.inference.interop.findings import RELEASED, WEIGHTS, Findings
from i2ibench.inference.interop.option_files import TEST
from i2ibench.inference.interop.questions import PIX2PIX

Options = dict[str, Any]


def settle_condition(findings: Findings, channels: int, kind: str) -> tuple[Options, int]:
    """Return the preprocessor's config and the number of label classes.

    Args:
        findings: what is known.
        channels: of the condition, without features.
        kind: PIX2PIX or PIX2PIXHD.

    Raises:
        UserError: the number of labels is not known, or does not fit the channels.
    """
    num_labels, source = _num_labels(findings, channels, kind)
    extra = channels - (num_labels or 3)
    if num_labels and channels == 3 and (kind == PIX2PIX or extra not in (0, 1)):
        findings.note("condition", f"the label map of {num_labels} classes in colour", source)
        return {"type": "ColourPreprocessor"}, num_labels
    if extra not in (0, 1):
        raise _unfitting(channels, num_labels)
    _check_boundaries(findings, bool(extra), channels, num_labels)
    first = f"{num_labels} labels" if num_labels else "an image"
    findings.note("condition", first + (" and instance boundaries" if extra else ""), source)
    if num_labels:
        return {"type": "LabelPreprocessor", "boundaries": bool(extra)}, num_labels
    if extra:
        return {"type": "ConditionPreprocessor", "condition": ["image", "instances"]}, 0
    return {"type": "ImagePreprocessor"}, 0


def _num_labels(findings: Findings, channels: int, kind: str) -> tuple[int, str]:
    """Return the number of label classes, 0 for images, and where it comes from."""
    answer, option = findings.answers.num_labels, findings.files.find("label_nc")
    said = option.number() if option is not None else None
    source = findings.chosen(answer, option.source if option else None)
    if answer is not None or said is not None:
        number = said if answer is None else answer
        assert number is not None
        if number < 0:
            raise UserError(f"A condition has 0 (images) or more label classes, not {number}.")
        return number, source
    if kind == PIX2PIX and channels == 3:
        return 0, f"{WEIGHTS}: pix2pix translates images; --labels N if they are coloured labels"
    if channels == 3:
        return 0, f"{source} for 3 channels, label_nc 0; --labels N says otherwise"
    if channels in (NUM_CITYSCAPES, NUM_CITYSCAPES + 1):
        return NUM_CITYSCAPES, f"{source}, label_nc 35; --labels N says otherwise"
    raise UserError(
        f"The generator's condition has {channels} channels; say with --labels how many "
        "of them are label classes (0: an image). A generator with features also needs its "
        "latest_net_E.pth beside it."
    )


def _check_boundaries(findings: Findings, boundaries: bool, channels: int, labels: int) -> None:
    option = findings.files.find("no_instance")
    if option is not None and option.flag() == boundaries:
        raise UserError(
            f"{option.file} says no_instance: {option.text}, but the {channels} channels of the "
            f"condition are {labels or 'an image of 3'}{' labels' if labels else ''} and "
            f"{'one more' if boundaries else 'no more'}. --labels N says how many are labels."
        )


def _unfitting(channels: int, num_labels: int) -> UserError:
    if not num_labels:
        return UserError(
            f"The generator takes images of {channels} channels; only those of 3 channels, with "
            "or without a boundary map, can be translated here."
        )
    return UserError(
        f"--labels {num_labels} does not fit a condition of {channels} channels, which is the "
        "labels and at most one boundary channel, or an image of 3."
    )


def settle_encoder(findings: Findings, has_encoder: bool, boundaries: bool) -> None:
    """Note what the encoder averages over, and refuse features that nothing makes.

    Raises:
        UserError: the encoder's file is missing, or it sees other maps than the condition.
    """
    wanted = [findings.files.find(name) for name in ("instance_feat", "label_feat")]
    of_instances, of_labels = (o is not None and o.flag() for o in wanted)
    if not has_encoder:
        option = wanted[0] if of_instances else wanted[1]
        if (of_instances or of_labels) and option is not None:
            raise UserError(
                f"{option.file} says {option.name}: True, but {findings.folder} has no "
                "latest_net_E.pth, whose features the generator takes. Without the encoder it "
                "cannot be used (with load_features the released code keeps it in the folder of "
                "the smaller model)."
            )
        return
    if of_labels and boundaries:
        raise UserError(
            f"{findings.folder}: the encoder averages over label maps (label_feat) and the "
            "condition has boundaries of instance maps; here both are of one instance map."
        )
    if of_labels:
        value, option = "label maps: give them as instance maps", wanted[1]
        findings.note("features are averaged over", value, option.source if option else RELEASED)
    else:
        known = wanted[0].source if of_instances and wanted[0] is not None else RELEASED
        findings.note("features are averaged over", "instances", known)


def settle_classes(findings: Findings, num_labels: int) -> tuple[ClassTable, str]:
    """Return the class table and the name of the data that has it.

    Raises:
        UserError: `classes.json` is unusable, or has other classes than the labels 0 to N - 1.
    """
    folder = findings.answers.classes
    if folder is not None:
        table = read_numbered(folder, num_labels)
        findings.note("classes", f"{len(table)} of {folder}", findings.chosen(folder, None))
        return table, "pix2pixHD"
    known = num_labels == NUM_CITYSCAPES
    if num_labels:
        what = "Cityscapes' label ids" if known else f"class 0 to class {num_labels - 1}, unnamed"
        findings.note("classes", what, "their number; --classes FOLDER names them")
    return numbered_classes(num_labels), "Cityscapes" if known else "pix2pixHD"


def settle_size(findings: Findings, kind: str) -> tuple[int, int] | None:
    """Return the (width, height) at which test.py made images of Cityscapes; None if unknown."""
    mode = findings.files.find("preprocess", "resize_or_crop", files=TEST)
    load = findings.files.find("load_size", "loadSize", files=TEST)
    crop = findings.files.find("crop_size", "fineSize", files=TEST)
    size = None
    if mode is not None and mode.text == "none":
        size = (2048, 1024)
    elif mode is not None and mode.text == "scale_width" and load is not None:
        size = (load.number(), load.number() // 2)
    elif mode is not None and mode.text == "resize_and_crop" and crop and kind == PIX2PIX:
        size = (crop.number(), crop.number())
    if size is None or mode is None:
        value = "translate: each file's own, or --size WxH; eval: the protocol's width and height"
        findings.note("size of images", value, "not known")
    else:
        text = f"translate --size {size[0]}x{size[1]}, as test.py"
        if mode.text == "none":
            text = "each file's own, as test.py"
        elif mode.text == "scale_width":
            text += " for images of 2048x1024"
        findings.note("size of images", text, mode.source)
    return size


def note_assumptions(findings: Findings, kind: str, generator: str) -> None:
    """Note what no file tells, and what the released code has no option for.

    Args:
        findings: gets the rows.
        kind: PIX2PIX or PIX2PIXHD.
        generator: its type.
    """
    if kind == PIX2PIX:
        _note_direction(findings)
    zeros = generator == "UNetGenerator"
    padding = "zeros" if zeros else "reflection, zeros where sizes halve"
    findings.note("padding", padding, "the released code: no option")
    findings.note("8-bit images", "rounded; the released code truncates, at most one level less",
                  "this project")  # fmt: skip


def _note_direction(findings: Findings) -> None:
    option = findings.files.find("direction", "which_direction")
    if option is None:
        value, source = "source/ holds the images that it translates, A or B", "not known"
    else:
        value, source = f"source/ holds {option.text[:1]}'s images", option.source
    findings.note("direction", value, source)
