"""What a study is: methods, scenes, design, texts and the rules of exclusion."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from i2ibench.errors import UserError

DEGRADED = "degraded"
"""The method of catch and practice trials that everybody should find worse."""

REFERENCE = "reference"
"""The real photos where they are no method: their degraded form is a catch trial's other side."""

PAPER_DURATIONS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds of exposure in the limited-time study (Fig. 7; the earlier CRN study has the same)."""


@dataclass(frozen=True)
class Method:
    """Where the images of one method come from: exactly one of the first three.

    Attributes:
        checkpoint: a .pth file, or a run's folder for its newest; `create` translates the scenes.
        images: a folder of images, named as the scenes.
        photos: the real photos of the scenes.
        styles: of a checkpoint with an encoder, as `translate` takes them.
        style_seed: which styles are drawn.
        size: (width, height) that a checkpoint's inputs are resized to; () keeps theirs.
        settings: of a checkpoint's method, such as {"steps": 25}, in place of its own.
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
            raise UserError("has exactly one of checkpoint, images and photos=True")


@dataclass(frozen=True)
class SceneChoice:
    """The choice of the scenes that a study shows.

    Attributes:
        folder: label maps and photos in a layout that `translate` takes; "" where all methods are
            folders of images: then the scenes are the names that all of them have.
        number: how many, drawn by the study's seed; 0 takes all.
    """

    folder: str = ""
    number: int = 0


@dataclass(frozen=True)
class Regions:
    """Which objects are highlighted: outlined, with the rest of the image darkened.

    Attributes:
        classes: names of classes, such as car (the paper's study of instance maps).
        min_pixels: smaller objects are not highlighted; scenes without any are left out.
        dim: by what share the rest is darkened, 0 to 1.
    """

    classes: tuple[str, ...] = ()
    min_pixels: int = 150
    dim: float = 0.5


@dataclass(frozen=True)
class Exclusion:
    """Which answers and participants the analysis leaves out; fixed before answers are collected.

    Attributes:
        min_catch_correct: a participant answers at least this share of the catch trials rightly.
        min_repeat_agreement: and at least this share of the repeats as the first time. 0 reports
            repeats and excludes nobody by them: between methods that are nearly equal an attentive
            participant repeats an answer little more often than by chance.
        min_answered: and at least this share of the main trials.
        max_one_side: and takes one side in at most this share of the main trials.
        min_response_ms: answers that come sooner after they are possible are dropped: after the
            images appeared, with limited time after they were covered.
        exposure_tolerance_ms: exposures that are off by more than this and by more than half a
            frame of the screen are dropped. Images that were shown for a limited time twice,
            because the page was reloaded, are dropped always.
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
    """What a participant is told at the end.

    Attributes:
        code: the same for all; "" makes one of each participant's token.
        url: where a button leads, {code} in it is replaced; such as
            https://app.prolific.com/submissions/complete?cc={code}.
    """

    code: str = ""
    url: str = ""


@dataclass(frozen=True)
class Texts:
    """What participants read; empty lines part paragraphs.

    Attributes:
        question: above every pair.
        instructions: before the practice trials; "" is written from the design.
        consent: on the first page; "" is a short one that says what is stored.
        contact: whom to ask, shown on the first page.
    """

    question: str = "Which picture looks more realistic?"
    instructions: str = ""
    consent: str = ""
    contact: str = ""


@dataclass(frozen=True)
class Definition:
    """A whole study file.

    Attributes:
        title: of the study, shown to participants.
        methods: by name.
        scenes: which are shown.
        pairs: which methods are compared; empty compares every two.
        durations: seconds of exposure; empty shows both images until the answer.
        per_pair: how often a participant judges each pair (at each duration).
        participants: how many are planned: `status` and `power` count on it, more may come.
        repeats: how many trials a participant sees again, sides swapped.
        catch: how many trials with a degraded image.
        practice: how many of those come first, with feedback.
        ties: whether "cannot tell" is an answer.
        size: (width, height) that every image is brought to, such as (400, 200), which the CRN
            study showed; () keeps theirs, which must then agree.
        width: in CSS pixels at which an image is shown; 0 for its own.
        regions: objects to highlight.
        exclusion: rules of the analysis.
        completion: what stands at the end.
        texts: what participants read.
        seed: decides scenes, sides and orders.
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
        """The pairs, all of them where the file names none."""
        return self.pairs or tuple(combinations(self.methods, 2))

    @property
    def times(self) -> tuple[float | None, ...]:
        """The durations; one None where time is unlimited."""
        return self.durations or (None,)
