"""The trials of each participant, balanced over pairs, durations, sides and scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from i2ibench.apps.study.define.definition import DEGRADED, Definition
from i2ibench.errors import UserError

Comparison = tuple[tuple[str, str], "float | None", str, bool]
"""(pair, duration in seconds, scene, whether the pair's first method is on the left)."""

MAIN, REPEAT, CATCH, PRACTICE = "main", "repeat", "catch", "practice"


@dataclass(frozen=True)
class Trial:
    """One pair of images that a participant judges.

    Attributes:
        number: position in the session, from 0; practice comes first.
        kind: MAIN, REPEAT, CATCH or PRACTICE. Only main trials compare methods.
        scene: name of the scene that both images show.
        left: the method shown on the left.
        right: the method shown on the right.
        duration: seconds of exposure; None shows the images until the answer.
        repeat_of: for a repeat, the number of the main trial that it repeats with swapped sides.
    """

    number: int
    kind: str
    scene: str
    left: str
    right: str
    duration: float | None = None
    repeat_of: int | None = None


class Design:
    """The design of a study: it makes the plan of every participant.

    - Each participant judges every pair `per_pair` times at each duration, each time on another
      scene. In half of these trials (rounded at random) the pair's first method is on the left.
    - Over participants, every pair is judged on every scene equally often (up to one).
    - The order is random within blocks that hold every pair at every duration once.
    - Repeats come in the last third and repeat trials of the first third. Catch trials are spread.

    Args:
        definition: the study file.
        scenes: names of the scenes.
        reference: the method whose images are degraded for catch and practice trials.

    Attributes:
        judgments_per_pair: main trials of one participant that compare one pair.

    Raises:
        UserError: there are fewer scenes than a participant's judgments of one pair.
    """

    def __init__(self, definition: Definition, scenes: Sequence[str], reference: str) -> None:
        self.definition, self.scenes, self.reference = definition, list(scenes), reference
        self.judgments_per_pair = definition.per_pair * len(definition.times)
        self._passes: dict[int, list[list[int]]] = {}
        if self.judgments_per_pair > len(scenes):
            raise UserError(
                f"A participant judges each pair {self.judgments_per_pair} times, each time on "
                f"another scene, but there are {len(scenes)} scenes; add scenes or lower per_pair."
            )

    @property
    def num_main(self) -> int:
        """Return the number of main trials of one participant."""
        return self.judgments_per_pair * len(self.definition.compared)

    @property
    def num_repeats(self) -> int:
        """Return the number of repeats of one participant, at most a third of the main trials."""
        return min(self.definition.repeats, self.num_main // 3)

    @property
    def num_trials(self) -> int:
        """Return the number of all trials of one participant, practice included."""
        d = self.definition
        return d.practice + self.num_main + self.num_repeats + d.catch

    def summary(self) -> str:
        """Return the number of trials by kind, such as "24 trials: 3 practice, 18 main, ...".

        Kinds without trials are left out.
        """
        d = self.definition
        kinds = {"practice": d.practice, "main": self.num_main, "repeated": self.num_repeats,
                 "catch": d.catch}  # fmt: skip
        listing = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        return f"{self.num_trials} trials: {listing}"

    def plan(self, slot: int) -> list[Trial]:
        """Return all trials of one participant in order, numbered from 0; practice comes first.

        Args:
            slot: number of the plan, from 0. It determines the plan together with the seed.
        """
        random = np.random.default_rng((self.definition.seed, 1, slot))
        main = self._ordered(self._main_trials(slot, random), random)
        body: list[tuple[float, Trial, int | None]] = [
            (float(at), trial, None) for at, trial in enumerate(main)
        ]
        for at, place in self._repeats(len(main), random):
            original = main[at]
            swapped = replace(original, kind=REPEAT, left=original.right, right=original.left)
            body.append((place, swapped, at))
        body += self._catch_trials(len(main), random)
        body.sort(key=lambda entry: entry[0])
        first = self.definition.practice
        numbers = {int(at): first + n for n, (at, t, _) in enumerate(body) if t.kind == MAIN}
        trials = self._practice(random)
        for number, (_, trial, main_at) in enumerate(body, start=first):
            repeat_of = None if main_at is None else numbers[main_at]
            trials.append(replace(trial, number=number, repeat_of=repeat_of))
        return trials

    def _main_trials(self, slot: int, random: np.random.Generator) -> list[list[Comparison]]:
        """Return the comparisons of a participant's main trials, in `per_pair` blocks.

        Each block holds every pair at every duration once.
        """
        num_blocks = self.definition.per_pair
        blocks: list[list[Comparison]] = [[] for _ in range(num_blocks)]
        for number, pair in enumerate(self.definition.compared):
            scenes = random.permutation(self._scenes_of(number, slot))
            for at, duration in enumerate(self.definition.times):
                extra = bool(random.integers(2))
                left = [i < (num_blocks + extra) // 2 for i in range(num_blocks)]
                for block, first in enumerate(random.permutation(left)):
                    scene = self.scenes[scenes[at * num_blocks + block]]
                    blocks[block].append((pair, duration, scene, bool(first)))
        return blocks

    def _scenes_of(self, pair: int, slot: int) -> list[int]:
        """Return the scenes on which a participant judges a pair, as indices.

        They are a slice of an endless sequence of shuffled passes over all scenes. A slice that
        crosses the end of a pass has no scene twice: the next pass begins with scenes that are not
        in the slice yet.
        """
        count, k = len(self.scenes), self.judgments_per_pair
        return [self._pass(pair, at // count)[at % count] for at in range(slot * k, (slot + 1) * k)]

    def _pass(self, pair: int, number: int) -> list[int]:
        """Return the order of all scenes (indices) in one pass; it is made once and then kept."""
        count, k = len(self.scenes), self.judgments_per_pair
        passes = self._passes.setdefault(pair, [])
        while len(passes) <= number:
            random = np.random.default_rng((self.definition.seed, 2, pair, len(passes)))
            order: list[int] = random.permutation(count).tolist()
            begun = len(passes) * count % k  # scenes of a slice that began in the previous pass
            if begun:
                before = set(passes[-1][count - begun :])
                fresh = [scene for scene in order if scene not in before][: k - begun]
                order = fresh + [scene for scene in order if scene not in set(fresh)]
            passes.append(order)
        return passes[number]

    def _ordered(self, blocks: list[list[Comparison]], random: np.random.Generator) -> list[Trial]:
        """Return the main trials: the blocks one after the other, each in random order.

        All trials have the number 0 for now.
        """
        trials = []
        for block in blocks:
            for at in random.permutation(len(block)):
                (one, other), duration, scene, first = block[at]
                left, right = (one, other) if first else (other, one)
                trials.append(Trial(0, MAIN, scene, left, right, duration))
        return trials

    def _repeats(self, count: int, random: np.random.Generator) -> list[tuple[int, float]]:
        """Draw the main trials that a participant sees again, and where in the session.

        There are `num_repeats` of them.
        """
        third = count // 3
        chosen = random.permutation(third)[: self.num_repeats]
        return [(int(at), float(count - random.uniform(0, third) + 0.3)) for at in chosen]

    def _catch_trials(
        self, count: int, random: np.random.Generator
    ) -> list[tuple[float, Trial, None]]:
        """Return the catch trials, one at a random place in each of equal parts of the session.

        The reference is on the left in half of them, rounded at random.
        """
        number = self.definition.catch
        left = random.permutation(np.arange(number) % 2 == random.integers(2))
        trials = []
        for part, first in enumerate(left):
            place = count * float(part + random.uniform()) / number
            trials.append((place, self._against_degraded(CATCH, bool(first), random), None))
        return trials

    def _practice(self, random: np.random.Generator) -> list[Trial]:
        """Return the practice trials, numbered from 0, with random scenes and sides.

        With limited time, their durations are drawn from the study's and go from long to short.
        """
        number, options = self.definition.practice, np.array(self.definition.durations)
        durations = [float(random.choice(options)) for _ in range(number if len(options) else 0)]
        durations.sort(reverse=True)
        trials = []
        for at in range(number):
            trial = self._against_degraded(PRACTICE, bool(random.integers(2)), random)
            trials.append(replace(trial, number=at, duration=durations[at] if durations else None))
        return trials

    def _against_degraded(self, kind: str, first: bool, random: np.random.Generator) -> Trial:
        """Return a trial of the reference and its degraded image on a random scene.

        The trial has the study's longest duration (None: unlimited) and, for now, the number 0.
        """
        scene = self.scenes[random.integers(len(self.scenes))]
        names = (self.reference, DEGRADED) if first else (DEGRADED, self.reference)
        return Trial(0, kind, scene, *names, max(self.definition.durations, default=None))
