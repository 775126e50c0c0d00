"""Charts of styles are drawn where there are numbers, and nothing is drawn where there are none."""

import io

import pytest
from PIL import Image

from i2ibench.reports.charts import control_matrix, feature_scatter, style_bars

MATRIX = {
    "modes": [0, 2],
    "intended": [[200.0, 20.0, 20.0], [20.0, 20.0, 200.0]],
    "obtained": [[180.0, 30.0, 20.0], [30.0, 20.0, 190.0]],
    "confusion": [[3, 1], [0, 4]],
    "levelled": [[4, 0], [0, 4]],
    "examples": [[[180.0, 30.0, 20.0]] * 4, [[30.0, 20.0, 190.0]] * 20],
}
POINTS = {"points": [[0.0, 1.0], [1.0, 0.0]], "rgb": [[255.0, 0.0, 0.0], [0.0, 0.0, 255.0]]}
RESULTS = {
    "systems": {
        "ours": {
            "style/n/car": {"value": 2.0},
            "style/r2/car": {"value": 0.8, "low": 0.7, "high": 0.9},
            "style/purity/car": {"value": None},
        },
        "photos": {},
    },
    "figures": {"ours": {"style_control": {"car": MATRIX}, "style_features": {"car": POINTS}}},
}


def colours(png):
    return {tuple(c) for _, c in Image.open(io.BytesIO(png)).convert("RGB").getcolors(1 << 24)}


def test_the_matrix_shows_the_colours_as_they_are():
    assert {(200, 20, 20), (180, 30, 20), (20, 20, 200), (30, 20, 190)} <= colours(
        control_matrix(RESULTS)
    )


def test_points_have_their_true_colours():
    assert {(255, 0, 0), (0, 0, 255)} <= colours(feature_scatter(RESULTS))


def test_bars_stand_undefined_scores():
    assert style_bars(RESULTS).startswith(b"\x89PNG")


@pytest.mark.parametrize("draw", [control_matrix, feature_scatter, style_bars])
@pytest.mark.parametrize("figures", [{}, {"figures": {}}, {"figures": {"ours": {}}}])
def test_without_styles_nothing_is_drawn(draw, figures):
    assert draw({"systems": {"ours": {}}} | figures) == b""
