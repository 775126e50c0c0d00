"""The definition of a study: its dataclasses, the reader of study files, and their checks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from i2ibench.apps.web.web_addresses import is_web_address
from i2ibench.errors import UserError, near_match
from i2ibench.io.safe_names import safe_text
from i2ibench.registry.configuration import read_assignments
from i2ibench.registry.shipped_configs import find_config

Part = TypeVar("Part")

DEGRADED = "degraded"
"""Name of the method of catch and practice trials whose images everybody should find worse."""

REFERENCE = "reference"
"""Name of the real photos if they are not a method; catch trials show them beside DEGRADED."""

PAPER_DURATIONS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds of exposure in the limited-time study (Fig. 7; the earlier CRN study has the same)."""

MAX_WIDTH = 2000
"""Largest width of an image on the screen, in CSS pixels."""

LEAST = {
    "per_pair": 1, "participants": 1, "repeats": 0, "catch": 0, "practice": 0, "width": 0,
    "seed": 0,
}  # fmt: skip
"""The smallest allowed values of a definition's integers."""


@dataclass(frozen=True)
class Method:
    """A method and the source of its images: exactly one of the first three attributes.

    Attributes:
        checkpoint: a .pth file, a run's folder for its newest, or the name of a system in the
            package; `create` translates the scenes.
        images: a folder of images with the names of the scenes.
        photos: whether the images are the real photos of the scenes.
        styles: for a checkpoint with an encoder, the styles in the form that `translate` takes.
        style_seed: seed of the random styles.
        size: (width, height) that a checkpoint's inputs are resized to; () keeps their size.
        settings: settings that override those of a checkpoint's method, such as {"steps": 25}.
    """

    checkpoint: str = ""
    images: str = ""
    photos: bool = False
    styles: str = "random"
    style_seed: int = 0
    size: tuple[int, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if sum(map(bool, (self.checkpoint, self.images, self.photos))) != 1:
            raise UserError("needs exactly one of checkpoint, images and photos=True")


@dataclass(frozen=True)
class SceneChoice:
    """The choice of the scenes that a study shows.

    Attributes:
        folder: folder of label maps and photos in a layout that `translate` takes. "" if all
            methods are folders of images: the scenes are then the names that all folders share.
        number: how many scenes the study's seed draws; 0 takes all.
    """

    folder: str = ""
    number: int = 0


@dataclass(frozen=True)
class Regions:
    """The objects that are highlighted: outlined, with the rest of the image darkened.

    Attributes:
        classes: names of classes, such as car (the paper's study of instance maps).
        min_pixels: smaller objects are not highlighted; scenes without any are left out.
        dim: share by which the rest is darkened, 0 to 1.
    """

    classes: tuple[str, ...] = ()
    min_pixels: int = 150
    dim: float = 0.5


@dataclass(frozen=True)
class Exclusion:
    """The rules by which the analysis leaves out participants and answers.

    They are fixed before answers are collected.

    Attributes:
        min_catch_correct: a participant must answer at least this share of the catch trials
            correctly.
        min_repeat_agreement: a participant must answer at least this share of the repeats as the
            first time. 0 reports repeats without excluding anybody: between methods that are nearly
            equal, an attentive participant repeats an answer little more often than by chance.
        min_answered: a participant must answer at least this share of the main trials.
        max_one_side: a participant may choose one side in at most this share of the main trials.
        min_response_ms: answers that come sooner are dropped. The time is measured from the moment
            an answer is possible: when the images appear or, with limited time, when they are
            covered again.
        exposure_tolerance_ms: exposures that are off by more than this and by more than half a
            frame of the screen are dropped. Answers to images that were shown twice for a limited
            time, because the page was reloaded, are always dropped.
        drop_unfocused: whether answers are dropped if the page lost the focus during the trial.
    """

    min_catch_correct: float = 0.75
    min_repeat_agreement: float = 0.0
    min_answered: float = 0.5
    max_one_side: float = 0.95
    min_response_ms: float = 200.0
    exposure_tolerance_ms: float = 20.0
    drop_unfocused: bool = True


@dataclass(frozen=True)
class Completion:
    """The code and the link that a participant gets at the end.

    Attributes:
        code: one code for all participants; "" derives a code from each participant's token.
        url: target of a button, such as https://app.prolific.com/submissions/complete?cc={code}.
            {code} is replaced by the code. "" shows no button.
    """

    code: str = ""
    url: str = ""


@dataclass(frozen=True)
class Texts:
    """Texts that participants read; empty lines separate paragraphs.

    Attributes:
        question: the question above every pair.
        instructions: text before the practice trials; "" is written from the design.
        consent: text of the first page; "" is a short one that says what is stored.
        contact: whom to ask, shown on the first page.
    """

    question: str = "Which picture looks more realistic?"
    instructions: str = ""
    consent: str = ""
    contact: str = ""


@dataclass(frozen=True)
class Definition:
    """The contents of a study file.

    Attributes:
        title: title of the study, shown to participants.
        methods: the methods by name.
        scenes: the choice of scenes.
        pairs: pairs of methods that are compared; empty compares every two.
        durations: seconds of exposure; empty shows both images until the answer.
        per_pair: how often a participant judges each pair (at each duration).
        participants: how many are planned. `status` and `power` use this number; more may come.
        repeats: how many trials a participant sees again, with the sides swapped.
        catch: how many trials with a degraded image.
        practice: how many trials with a degraded image and with feedback come first.
        ties: whether "cannot tell" is an answer.
        size: (width, height) that every image is resized to, such as (400, 200), which the CRN
            study showed; () keeps the images' own sizes, which must then agree.
        width: width of an image on the screen in CSS pixels; 0 for its own.
        regions: objects to highlight.
        exclusion: rules of the analysis.
        completion: the code and the link at the end.
        texts: texts that participants read.
        seed: seed of the random choice of scenes, sides and orders.
    """

    title: str
    methods: Mapping[str, Method]
    scenes: SceneChoice = field(default_factory=SceneChoice)
    pairs: tuple[tuple[str, str], ...] = ()
    durations: tuple[float, ...] = ()
    per_pair: int = 10
    participants: int = 50
    repeats: int = 5
    catch: int = 5
    practice: int = 3
    ties: bool = False
    size: tuple[int, ...] = ()
    width: int = 0
    regions: Regions = field(default_factory=Regions)
    exclusion: Exclusion = field(default_factory=Exclusion)
    completion: Completion = field(default_factory=Completion)
    texts: Texts = field(default_factory=Texts)
    seed: int = 0

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs of methods that are compared: every two if the file names no pairs."""
        return self.pairs or tuple(combinations(self.methods, 2))

    @property
    def times(self) -> tuple[float | None, ...]:
        """Return the durations of exposure in seconds; (None,) if the time is unlimited."""
        return self.durations or (None,)


_NESTED: dict[str, type] = {
    "scenes": SceneChoice, "regions": Regions, "exclusion": Exclusion,
    "completion": Completion, "texts": Texts,
}  # fmt: skip


def load_definition(path: Path) -> Definition:
    """Return the checked `Definition` of a study from a Python file that assigns its attributes.

    Raises:
        UserError: the file is missing or broken, or a value is wrong.
    """
    path = find_config(path, "study")
    return read_definition(read_assignments(path, "study"), str(path))


def read_definition(content: Mapping[str, Any], place: str) -> Definition:
    """Return the checked `Definition` of a study that nested dicts describe.

    Args:
        content: the attributes of `Definition` by name; "title" and "methods" are required.
        place: the file, for error messages.

    Raises:
        UserError: names the place, the key and the value.
    """
    values = dict(content)
    for key, kind in _NESTED.items():
        if key in values:
            values[key] = _read_part(kind, values[key], f"{place}: {key}")
    methods = values.get("methods")
    if not isinstance(methods, Mapping) or len(methods) < 2:
        raise UserError(f"{place}: 'methods' must name two or more methods, not {methods!r}.")
    values["methods"] = {
        safe_text(str(name), place): _read_part(Method, method, f"{place}: method {name!r}")
        for name, method in methods.items()
    }
    definition = _read_part(Definition, values, place)
    _check(definition, place)
    return definition


def _read_part(kind: type[Part], content: Any, place: str) -> Part:
    """Return one dataclass of a study file, such as a `Method`, made from a dict.

    Keys that are missing keep their defaults. `_read_value` checks and converts every value.
    """
    if not isinstance(content, Mapping):
        raise UserError(f"{place} must be a dict, not {content!r}.")
    types = get_type_hints(kind)
    values = {}
    for key, value in content.items():
        if key not in types:
            raise UserError(
                f"{place} has no key {key!r}.{near_match(key, types)} Known: {', '.join(types)}."
            )
        values[key] = _read_value(value, types[key], f"{place}: {key!r}")
    if kind is Definition and "title" not in values:
        raise UserError(f"{place} lacks 'title', which participants read.")
    try:
        return kind(**values)
    except UserError as error:
        raise UserError(f"{place} {error}, not {dict(content)!r}.") from None


def _read_value(value: Any, kind: Any, place: str) -> Any:
    """Return a value from a study file as the type `kind`.

    Lists become tuples and integers floats as needed. Values inside a dict are not checked.
    """
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise UserError(f"{place} must be a list, not {value!r}.")
        return tuple(_read_value(item, get_args(kind)[0], place) for item in value)
    if get_origin(kind) is Mapping and not isinstance(value, Mapping):
        raise UserError(f"{place} must be a dict, not {value!r}.")
    if kind is float and type(value) is int:
        value = float(value)
    if kind in (str, bool, int, float) and type(value) is not kind:
        raise UserError(f"{place} must be {kind.__name__}, not {value!r}.")
    if isinstance(value, str):
        safe_text(value, place, lines=True)
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{place} must be finite, not {value}.")
    return value


def _require(valid: bool, message: str) -> None:
    if not valid:
        raise UserError(message)


def _check(d: Definition, place: str) -> None:
    """Raise UserError for the first value that makes no valid study, such as a negative number.

    The message begins with `place`, the file.
    """
    _check_pairs(d, place)
    for key, least in LEAST.items():
        value = getattr(d, key)
        _require(value >= least, f"{place}: {key!r} must be at least {least}, not {value}.")
    number, times, dim, url = d.scenes.number, d.durations, d.regions.dim, d.completion.url
    _require(number >= 0, f"{place}: scenes: 'number' must be 0 for all, or more, not {number}.")
    _require(
        d.width <= MAX_WIDTH,
        f"{place}: 'width' must be at most {MAX_WIDTH}, not {d.width}: two pictures stand side by "
        "side on a screen.",
    )
    _require(
        all(0 < seconds <= 60 for seconds in times) and len(set(times)) == len(times),
        f"{place}: 'durations' must be different seconds up to 60, not {times}.",
    )
    _require(bool(d.title.strip()), f"{place}: 'title' is empty; participants read it first.")
    _require(
        bool(d.texts.question.strip()),
        f"{place}: texts: 'question' is empty; it stands above every pair.",
    )
    _require(
        not url or is_web_address(url),
        f"{place}: completion: 'url' must be an address such as https://lab.example/done?code="
        f"{{code}}, not {url!r}.",
    )
    for key in ("min_catch_correct", "min_repeat_agreement", "min_answered", "max_one_side"):
        share = getattr(d.exclusion, key)
        fault = f"{place}: exclusion: {key!r} must be a share from 0 to 1, not {share}."
        _require(0 <= share <= 1, fault)
    for key in ("min_response_ms", "exposure_tolerance_ms"):
        ms = getattr(d.exclusion, key)
        _require(ms >= 0, f"{place}: exclusion: {key!r} must be at least 0, not {ms}.")
    for size in (d.size, *(method.size for method in d.methods.values())):
        fits = not size or (len(size) == 2 and min(size) >= 1)
        _require(fits, f"{place}: a 'size' must be (width, height), not {size}.")
    _require(0 <= dim <= 1, f"{place}: regions: 'dim' must be a share from 0 to 1, not {dim}.")


def _check_pairs(definition: Definition, place: str) -> None:
    """Raise UserError for invalid pairs and for methods that have a reserved name.

    A pair must be two different, known methods, and must not stand twice, in either order.
    """
    pairs, methods = definition.pairs, definition.methods
    for pair in pairs:
        for name in pair:
            near = near_match(str(name), methods)
            known = name in methods
            _require(known, f"{place}: pair {pair} names no method {name!r}.{near}")
        different = len(pair) == 2 and pair[0] != pair[1]
        _require(different, f"{place}: a pair must be two different methods, not {pair}.")
    _require(
        len({frozenset(pair) for pair in pairs}) == len(pairs),
        f"{place}: 'pairs' names a pair twice.",
    )
    for name in (DEGRADED, REFERENCE):
        _require(
            name not in methods,
            f"{place}: the name {name!r} is reserved; give the method another name.",
        )
