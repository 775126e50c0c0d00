"""The chart of quality over cost: which methods are on the front."""

import io

from PIL import Image

from i2ibench.reports.pareto_chart import CostPoint, pareto_chart, pareto_front


def point(name, cost, value):
    return CostPoint(name, cost, value, value - 0.1, value + 0.1)


POINTS = [point("cheap", 1e9, 0.5), point("dear", 9e9, 0.7), point("bad", 9e9, 0.6),
          point("equal", 9e9, 0.7), point("worst", 2e9, 0.4)]  # fmt: skip


def test_the_front_has_the_points_that_no_other_point_beats():
    names = [p.name for p in pareto_front(POINTS, higher=True)]
    assert names == ["cheap", "dear", "equal"]
    assert [p.name for p in pareto_front(POINTS, higher=False)] == ["cheap", "worst"]


def test_one_panel_is_drawn_for_each_score():
    one = Image.open(io.BytesIO(pareto_chart([("mean IoU", True, POINTS)])))
    two = Image.open(
        io.BytesIO(pareto_chart([("mean IoU", True, POINTS), ("LPIPS", False, POINTS)]))
    )
    assert two.width == 2 * one.width and pareto_chart([]) == b""
