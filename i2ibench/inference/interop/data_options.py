"""The labels, boundaries, classes and sizes of the images that official files were trained with.

They are read from the user's options and the option files. Values that neither of them states are
the released code's defaults, and the report marks them as assumed.
"""

from typing import Any

from i2ibench.data.classes import ClassTable
from i2ibench.data.datasets.pix2pixhd_folder import NUM_CITYSCAPES, numbered_classes, read_numbered
from i2ibench.errors import UserError
from i2ibench.inference.interop.conversion_options import (
    PIX2PIX,
    RELEASED,
    TEST,
    WEIGHTS,
    Conversion,
)

Options = dict[str, Any]


def determine_condition(conversion: Conversion, channels: int, program: str) -> tuple[Options, int]:
    """Return the preprocessor's config and the number of label classes, 0 for images.

    The preprocessor makes the generator's condition: one-hot labels or an image, each with or
    without a channel of instance boundaries, or a label map in colour.

    Args:
        conversion: gets a row about the condition.
        channels: the number of channels of the condition, without features of an encoder.
        program: PIX2PIX or PIX2PIXHD.

    Raises:
        UserError: the number of labels is unknown, or does not fit the channels, or an option file
            contradicts the boundaries.
    """
    num_labels, source = _num_labels(conversion, channels, program)
    extra = channels - (num_labels or 3)
    if num_labels and channels == 3 and (program == PIX2PIX or extra not in (0, 1)):
        conversion.report("condition", f"the label map of {num_labels} classes in colour", source)
        return {"type": "ColourPreprocessor"}, num_labels
    if extra not in (0, 1):
        raise _unfitting(channels, num_labels)
    _check_boundaries(conversion, bool(extra), channels, num_labels)
    first = f"{num_labels} labels" if num_labels else "an image"
    conversion.report("condition", first + (" and instance boundaries" if extra else ""), source)
    if num_labels:
        return {"type": "LabelPreprocessor", "boundaries": bool(extra)}, num_labels
    if extra:
        return {"type": "ConditionPreprocessor", "condition": ["image", "instances"]}, 0
    return {"type": "ImagePreprocessor"}, 0


def _num_labels(conversion: Conversion, channels: int, program: str) -> tuple[int, str]:
    """Return the number of label classes, 0 for images, and the number's origin as text.

    The user's option has precedence over label_nc in an option file. Without both, 3 channels are
    an image, and 35 or 36 are Cityscapes' 35 labels.
    """
    given, option = conversion.options.num_labels, conversion.option_files.find("label_nc")
    stated = option.number() if option is not None else None
    source = conversion.source_of(given, option)
    number = stated if given is None else given
    if number is not None:
        if number < 0:
            raise UserError(f"A condition has 0 (images) or more label classes, not {number}.")
        return number, source
    if program == PIX2PIX and channels == 3:
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


def _check_boundaries(conversion: Conversion, boundaries: bool, channels: int, labels: int) -> None:
    option = conversion.option_files.find("no_instance")
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


def check_features(conversion: Conversion, has_encoder: bool, boundaries: bool) -> None:
    """Check that the features that the generator takes can be computed, and report their regions.

    Without an encoder's file, and without an option file that demands features, nothing is
    reported.

    Args:
        conversion: gets a row about the regions over which features are averaged.
        has_encoder: whether the encoder's file is there.
        boundaries: whether the condition has instance boundaries.

    Raises:
        UserError: an option file says that the generator takes features and the encoder's file is
            missing; or the encoder averages over label maps while the condition has boundaries of
            instance maps.
    """
    instance_feat = conversion.option_files.find("instance_feat")
    label_feat = conversion.option_files.find("label_feat")
    of_instances = instance_feat if instance_feat is not None and instance_feat.flag() else None
    of_labels = label_feat if label_feat is not None and label_feat.flag() else None
    if not has_encoder:
        option = of_instances or of_labels
        if option is not None:
            raise UserError(
                f"{option.file} says {option.name}: True, but {conversion.folder} has no "
                "latest_net_E.pth, whose features the generator takes. Without the encoder it "
                "cannot be used (with load_features the released code keeps it in the folder of "
                "the smaller model)."
            )
        return
    if of_labels is not None and boundaries:
        raise UserError(
            f"{conversion.folder}: the encoder averages over label maps (label_feat) and the "
            "condition has boundaries of instance maps; here both are of one instance map."
        )
    regions = "label maps: give them as instance maps" if of_labels else "instances"
    option = of_labels or of_instances
    source = option.source if option is not None else RELEASED
    conversion.report("features are averaged over", regions, source)


def determine_classes(conversion: Conversion, num_labels: int) -> tuple[ClassTable, str]:
    """Return the class table, and the data set's name: "Cityscapes" or "pix2pixHD".

    The classes are those of classes.json in the user's folder. Without this option 35 labels are
    Cityscapes' classes, and any other number of labels are unnamed classes.

    Args:
        conversion: gets a row about the classes, unless there are none.
        num_labels: the number of label classes; 0 gives an empty table.

    Raises:
        UserError: classes.json is unusable, or has other ids than 0 to `num_labels` - 1.
    """
    folder = conversion.options.classes
    if folder is not None:
        table = read_numbered(folder, num_labels)
        source = conversion.source_of(folder, None)
        conversion.report("classes", f"{len(table)} of {folder}", source)
        return table, "pix2pixHD"
    known = num_labels == NUM_CITYSCAPES
    if num_labels:
        names = "Cityscapes' label ids" if known else f"class 0 to class {num_labels - 1}, unnamed"
        conversion.report("classes", names, "their number; --classes FOLDER names them")
    return numbered_classes(num_labels), "Cityscapes" if known else "pix2pixHD"


def determine_size(conversion: Conversion, program: str) -> tuple[int, int] | None:
    """Return the (width, height) at which test.py translated Cityscapes; None if no file tells.

    The option files tell how images are resized; the images of Cityscapes are 2048x1024.

    Args:
        conversion: gets a row about the size, also if the size is unknown.
        program: PIX2PIX or PIX2PIXHD.

    Raises:
        UserError: a size in an option file is no integer.
    """
    find = conversion.option_files.find
    mode = find("preprocess", "resize_or_crop", files=TEST)
    load = find("load_size", "loadSize", files=TEST)
    crop = find("crop_size", "fineSize", files=TEST)
    size = None
    if mode is not None and mode.text == "none":
        size = (2048, 1024)
    elif mode is not None and mode.text == "scale_width" and load is not None:
        size = (load.number(), load.number() // 2)
    elif mode is not None and mode.text == "resize_and_crop" and crop and program == PIX2PIX:
        size = (crop.number(), crop.number())
    if size is None or mode is None:
        value = "translate: each file's own, or --size WxH; eval: the protocol's width and height"
        conversion.report("size of images", value, "not known")
        return None
    value = f"translate --size {size[0]}x{size[1]}, as test.py"
    if mode.text == "none":
        value = "each file's own, as test.py"
    elif mode.text == "scale_width":
        value += " for images of 2048x1024"
    conversion.report("size of images", value, mode.source)
    return size


def report_assumptions(conversion: Conversion, program: str, generator: str) -> None:
    """Report padding, rounding and, for pix2pix, direction, which the weights do not tell.

    The released code has no option for padding and rounding. An option file may state the
    direction.

    Args:
        conversion: gets the rows.
        program: PIX2PIX or PIX2PIXHD.
        generator: the type of the generator, such as "UNetGenerator".
    """
    if program == PIX2PIX:
        value, source = "source/ holds the images that it translates, A or B", "not known"
        option = conversion.option_files.find("direction", "which_direction")
        if option is not None:
            value, source = f"source/ holds {option.text[:1]}'s images", option.source
        conversion.report("direction", value, source)
    padding = "zeros" if generator == "UNetGenerator" else "reflection, zeros where sizes halve"
    conversion.report("padding", padding, "the released code: no option")
    rounding = "rounded; the released code truncates, at most one level less"
    conversion.report("8-bit images", rounding, "this project")
