"""The trials of a participant: balanced over pairs, durations, sides and scenes, by the seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from i2ibench.apps.study.define.definition import DEGRADED, Definition
from i2ibench.errors import UserError

Comparison = tuple[tuple[str, str], "float | None", str, bool]
"""Pair, duration, scene, and whether the pair's first method is on the left."""

MAIN, REPEAT, CATCH, PRACTICE = "main", "repeat", "catch", "practice"


@dataclass(frozen=True)
class Trial:
    """One pair of images that a participant judges.

    Attributes:
        number: its place in the sitting, from 0; practice comes first.
        kind: MAIN, REPEAT, CATCH or PRACTICE. Only main trials are evidence on the methods.
        scene: name of the scene that both images show.
        left: the method shown on the left.
        right: the method shown on the right.
        duration: seconds of exposure; None until the answer.
        of: for a repeat the number of the main trial that it repeats, sides swapped.
    """

    number: int
    kind: str
    scene: str
    left: str
    right: str
    duration: float | None = None
    of: int | None = None


class Design:
    """The plan of every participant of a study.

    - Each participant judges every pair `per_pair` times at each duration, each time on another
      scene; half of those times (rounded at random) the pair's first method is on the left.
    - Over participants every pair is judged on every scene equally often (up to one).
    - The order is random within blocks that hold every pair at every duration once.
    - Repeats come in the last third and repeat trials of the first; catch trials are spread.

    Args:
        definition: the study file.
        scenes: names of the scenes.
        reference: the method whose images are degraded for catch and practice trials.

    Raises:
        UserError: fewer scenes than a participant judges of one pair.
    """

    def __init__(self, definition: Definition, scenes: Sequence[str], reference: str) -> None:
        self.definition, self.scenes, self.reference = definition, list(scenes), reference
        self.per_sitting = definition.per_pair * len(definition.times)
        self._passes: dict[int, list[list[int]]] = {}
        if self.per_sitting > len(scenes):
            raise UserError(
                f"A participant judges each pair {self.per_sitting} times, each time on another "
                f"scene, but there are {len(scenes)} scenes; add scenes or lower per_pair."
            )

    @property
    def num_main(self) -> int:
        """Main trials of one participant."""
        return self.per_sitting * len(self.definition.compared)

    @property
    def num_trials(self) -> int:
        """All trials of one participant."""
        d = self.definition
        return d.practice + self.num_main + self.num_repeats + d.catch

    @property
    def num_repeats(self) -> int:
        """Repeats: what the study asks for, at most a third of the main trials."""
        return min(self.definition.repeats, self.num_main // 3)

    def summary(self) -> str:
        """The trials of one participant by kind, such as "24 trials: 3 practice, 18 main, ..."."""
        d = self.definition
        kinds = {"practice": d.practice, "main": self.num_main, "repeated": self.num_repeats,
                 "catch": d.catch}  # fmt: skip
        listing = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        return f"{self.num_trials} trials: {listing}"

    def plan(self, slot: int) -> list[Trial]:
        """The trials of the participant with a number, from 0, in order."""
        random = np.random.default_rng((self.definition.seed, 1, slot))
        main = self._ordered(self._main_trials(slot, random), random)
        repeats = self._repeats(len(main), random)
        body: list[tuple[float, Trial, int | None]] = [
            (float(at), trial, None) for at, trial in enumerate(main)
        ]
        body += [(place, _swapped(main[at]), at) for at, place in repeats]
        body += self._catch_trials(len(main), random)
        body.sort(key=lambda entry: entry[0])
        first = self.definition.practice
        places = {int(at): first + n for n, (at, t, _) in enumerate(body) if t.kind == MAIN}
        trials = self._practice(random)
        for number, (_, trial, of) in enumerate(body, start=first):
            repeated = None if of is None else places[of]
            trials.append(replace(trial, number=number, of=repeated))
        return trials

    def _main_trials(self, slot: int, random: np.random.Generator) -> list[list[Comparison]]:
        """The comparisons by block."""
        times, blocks = self.definition.times, self.definition.per_pair
        found: list[list[Comparison]] = [[] for _ in range(blocks)]
        for number, pair in enumerate(self.definition.compared):
            scenes = random.permutation(self._scenes_of(number, slot))
            for at, duration in enumerate(times):
                extra = bool(random.integers(2))
                left = [i < (blocks + extra) // 2 for i in range(blocks)]
                for block, first in enumerate(random.permutation(left)):
                    scene = self.scenes[scenes[at * blocks + block]]
                    found[block].append((pair, duration, scene, bool(first)))
        return found

    def _scenes_of(self, pair: int, slot: int) -> list[int]:
        """The scenes on which a participant judges a pair: a slice of endless shuffled passes.

        A slice that runs over the end of a pass finds no scene twice: the next pass begins with
        scenes that the slice does not have yet.
        """
        count, k = len(self.scenes), self.per_sitting
        first, last = slot * k, (slot + 1) * k
        return [self._pass(pair, at // count)[at % count] for at in range(first, last)]

    def _pass(self, pair: int, number: int) -> list[int]:
        """The order of all scenes in one pass."""
        count, k = len(self.scenes), self.per_sitting
        passes = self._passes.setdefault(pair, [])
        while len(passes) <= number:
            random = np.random.default_rng((self.definition.seed, 2, pair, len(passes)))
            order: list[int] = random.permutation(count).tolist()
            begun = len(passes) * count % k  # scenes of a slice that began in the pass before
            if begun:
                before = set(passes[-1][count - begun :])
                fresh = [scene for scene in order if scene not in before][: k - begun]
                order = fresh + [scene for scene in order if scene not in set(fresh)]
            passes.append(order)
        return passes[number]

    def _ordered(self, blocks: list[list[Comparison]], random: np.random.Generator) -> list[Trial]:
        """The main trials in blocks, each block in random order."""
        trials = []
        for block in blocks:
            for at in random.permutation(len(block)):
                (one, other), duration, scene, first = block[at]
                left, right = (one, other) if first else (other, one)
                trials.append(Trial(0, MAIN, scene, left, right, duration))
        return trials

    def _repeats(self, count: int, random: np.random.Generator) -> list[tuple[int, float]]:
        """(main trial of the first third, place in the last third) of every repeat."""
        third = count // 3
        chosen = random.permutation(third)[: self.num_repeats]
        return [(int(at), float(count - random.uniform(0, third) + 0.3)) for at in chosen]

    def _catch_trials(
        self, count: int, random: np.random.Generator
    ) -> list[tuple[float, Trial, int | None]]:
        """One in each of equal pieces of the sitting, half with the reference on the left."""
        number = self.definition.catch
        left = random.permutation(np.arange(number) % 2 == random.integers(2))
        return [
            (
                count * float(piece + random.uniform()) / number,
                self._against_degraded(CATCH, bool(first), random),
                None,
            )
            for piece, first in enumerate(left)
        ]

    def _practice(self, random: np.random.Generator) -> list[Trial]:
        """Trials whose answer is known; with limited time from long to short."""
        number = self.definition.practice
        durations = sorted(
            (random.choice(np.array(self.definition.durations)) for _ in range(number))
            if self.definition.durations
            else [],
            reverse=True,
        )
        trials = []
        for at in range(number):
            trial = self._against_degraded(PRACTICE, bool(random.integers(2)), random)
            duration = float(durations[at]) if durations else None
            trials.append(replace(trial, number=at, duration=duration))
        return trials

    def _against_degraded(self, kind: str, first: bool, random: np.random.Generator) -> Trial:
        """The reference beside its degraded image, in limited time for the longest duration."""
        scene = self.scenes[random.integers(len(self.scenes))]
        names = (self.reference, DEGRADED) if first else (DEGRADED, self.reference)
        return Trial(0, kind, scene, *names, max(self.definition.durations, default=None))


def _swapped(trial: Trial) -> Trial:
    return replace(trial, kind=REPEAT, left=trial.right, right=trial.left)
