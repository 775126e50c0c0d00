"""A metric promises one row of numbers per scene, and scores of their sum."""

from typing import Any

import numpy as np
import pytest
import torch

from i2ibench.data.classes import class_table
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction
from i2ibench.testing.parts import Workshop

TABLE = class_table(["sky", "road", {"name": "car", "thing": True}])


def _predictions() -> list[Prediction]:
    generator = torch.Generator().manual_seed(0)
    scenes: list[Prediction] = []
    for number in range(3):
        fake, real = torch.randint(0, 256, (2, 3, 32, 48), generator=generator, dtype=torch.uint8)
        label = torch.zeros(1, 32, 48, dtype=torch.uint8)
        label[:, 16:], label[:, 20:26, 4 + number : 24] = 1, 2
        instance = label.int()
        instance[label == 2] = 2001
        scene: Prediction = {"name": f"s{number}", "fake": fake, "real": real, "source": real}
        scenes.append({**scene, "label": label, "instance": instance, "samples": fake[None]})
    return scenes


def _metric(name: str, contract_part: Workshop, kind: str) -> Metric:
    """Return a metric for the tests of its kind; skip the test for other metrics.

    Metrics that are unavailable here, such as for missing weights, are skipped too.
    """
    metric: Metric = contract_part("metric", name, **TABLE.metainfo("contract"))
    if metric.unavailable or metric.kind != kind:
        pytest.skip(metric.unavailable or f"it is {metric.kind}, not {kind}")
    return metric


def _measured(name: str, metric: Metric, scenes: list[Prediction]) -> list[Any]:
    """Return the rows of complete scenes; fail if the metric reads keys that it does not declare.

    The metric is first tried on scenes that hold only name, fake and the keys in `needs`.
    """
    kept: Any = [{k: s[k] for k in ("name", "fake", *metric.needs)} for s in scenes]  # type: ignore[literal-required]
    try:
        metric.measure(kept)
    except KeyError as error:
        raise AssertionError(
            f"{name} reads {error} of a prediction: let its `needs` name that, so that scenes "
            "without it are not scored"
        ) from error
    return list(metric.measure(scenes))


@pytest.mark.contract("metric")
def test_a_metric_measures_each_scene_by_itself_and_scores_their_sum(name, contract_part):
    metric = _metric(name, contract_part, "additive")
    scenes = _predictions()
    lacking = [kind for kind in metric.needs if kind not in scenes[0]]
    if lacking:
        pytest.skip(f"it needs {', '.join(lacking)}")
    rows = _measured(name, metric, scenes)
    assert len(rows) == len(scenes), f"measure must give one row per scene; {name} gave {len(rows)}"
    for scene, row in zip(scenes, rows, strict=True):
        (alone,) = metric.measure([scene])
        assert np.allclose(alone, row, equal_nan=True), (
            f"a scene's row must not depend on the scenes beside it; {name}'s does"
        )
    assert set(metric.better.values()) <= {"higher", "lower"}, (
        f"better must say by score 'higher' or 'lower'; {name} says {metric.better}"
    )
    scores = metric.scores(np.sum(rows, axis=0))
    assert scores, f"{name}.scores gave no score"
    unknown = sorted(metric.better.keys() - scores.keys())
    assert not unknown, (
        f"better must name scores that the metric gives; {name} gives no {', '.join(unknown)}, "
        f"only {', '.join(scores)}"
    )
    for score, value in scores.items():
        assert np.ndim(value) == 0, f"{name}: the score {score} of one sum must be one number"
    many = metric.scores(np.stack([np.sum(rows, axis=0)] * 2))
    for score, values in many.items():
        assert np.shape(values) == (2,) and np.allclose(values, scores[score], equal_nan=True), (
            f"scores must take sums [...,K] at once (the bootstrap does); {name}'s {score} does not"
        )


@pytest.mark.contract("metric")
def test_a_metric_that_compares_sets_scores_rows_against_rows(name, contract_part):
    metric = _metric(name, contract_part, "set")
    rows = np.concatenate(_measured(name, metric, _predictions()))
    unknown = sorted(metric.set_scores(rows, rows).keys() - metric.better.keys())
    assert not unknown, (
        f"better must name every distance of a metric that compares sets; {name} gives "
        f"{', '.join(unknown)} besides"
    )
