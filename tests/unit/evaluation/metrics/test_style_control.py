"""StyleControl against painters that obey, that ignore styles, and that spill."""

import numpy as np
import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics.style_control import StyleControl, dilate, distinct_modes
from i2ibench.evaluation.scores import adding_rows

CLASSES = ["road", "car"]
COLOURS = torch.tensor(
    [[220, 20, 30], [20, 180, 60], [30, 60, 200], [225, 25, 30], [230, 230, 230]],
    dtype=torch.float64,
)  # the fourth is nearly the first


class Painter:
    """Paints one instance; `spill` levels go to every other pixel."""

    seen = 3  # the mode that the encoder finds in the photo: told apart from none, so mode 0's

    def __init__(self, instance, obeys, spill=0):
        self.instance, self.obeys, self.spill = instance, obeys, spill
        self.asked = []

    def encoded(self):
        return {7001: ([0.0], self.seen), 7002: ([0.0], 0)}

    def intended(self, label):
        return COLOURS if label == 1 else torch.full((5, 3), torch.nan, dtype=torch.float64)

    def repaint(self, instance, modes):
        self.asked.append((instance, list(modes)))
        plain = torch.full((3, *self.instance.shape[1:]), 120, dtype=torch.uint8)
        here = self.instance[0] == instance
        images = [plain]
        for mode in modes:
            image = plain + self.spill
            if self.obeys:
                image[:, here] = COLOURS[mode].to(torch.uint8)[:, None]
            images.append(image)
        return torch.stack(images)


def scene(obeys=True, spill=0):
    instance = torch.zeros(1, 32, 64, dtype=torch.int32)
    instance[0, 8:20, 10:30] = 7001
    instance[0, 8:12, 50:56] = 7002
    label = (instance > 0).to(torch.uint8)
    painter = Painter(instance, obeys, spill)
    return {"name": "s", "label": label, "instance": instance, "styles": painter}


def scored(*scenes, **options):
    metric = StyleControl(CLASSES, **options)
    refined, rows = adding_rows(metric, metric.measure(scenes))
    return {name: float(v) for name, v in refined.scores(rows.sum(0)).items()}


def test_a_painter_that_obeys_controls_everything_and_changes_nothing_else():
    found = scored(*(scene() for _ in range(3)))
    assert found["style/hit"] == found["style/kept"] == found["style/control"] == 1
    assert found["style/leakage"] == 0 and found["style/change"] > 50
    assert found["style/pictures/car"] == 12 and found["style/control/car"] == 1


def test_a_painter_that_ignores_styles_hits_exactly_as_chance_does():
    found = scored(*(scene(obeys=False) for _ in range(3)))
    assert found["style/hit"] == found["style/hit_chance"] == 1 / 4
    assert found["style/kept"] == 1 and found["style/control"] == 1 / 4
    assert found["style/hit_levelled"] == found["style/control_levelled"] == 1 / 4


def test_the_light_of_a_scene_moves_hits_but_not_levelled_ones():
    one = scene()
    original = one["styles"].repaint
    dusk = torch.tensor([0, 0, 120]).view(3, 1, 1)
    one["styles"].repaint = lambda *rest: (original(*rest) * 0.4 + dusk).to(torch.uint8)
    found = scored(one)
    assert found["style/hit"] < 1 and found["style/hit_levelled"] == 1


def test_a_painter_that_spills_has_hits_but_no_control():
    found = scored(scene(spill=5))
    assert found["style/hit"] == 1 and found["style/leakage"] == 5
    assert found["style/kept"] == found["style/control"] == 0
    assert scored(scene(spill=5), tolerance=5.5)["style/control"] == 1


def test_the_largest_instance_is_painted_once_in_each_mode_that_is_told_apart():
    one = scene()
    StyleControl(CLASSES).measure([one])
    assert one["styles"].asked == [(7001, [0, 1, 2, 4])]


def test_a_scene_without_a_large_instance_has_no_images_and_no_score():
    found = scored(scene(), min_area=0.5)
    assert found["style/pictures"] == 0 and np.isnan(found["style/control"])


def test_change_next_to_the_instance_is_no_leakage():
    one = scene()
    near = dilate(one["instance"][0] == 7001, 8)
    original = one["styles"].repaint

    def smear(instance, modes):
        images = original(instance, modes)
        images[1:, :, near & (one["instance"][0] != 7001)] += 40
        return images

    one["styles"].repaint = smear
    assert scored(one)["style/leakage"] == 0
    assert scored(one, margin=2)["style/leakage"] > 0


def test_modes_are_told_apart_in_their_order_and_unknown_ones_left_out():
    assert distinct_modes(COLOURS, 20.0) == [0, 1, 2, 4]
    assert distinct_modes(COLOURS, 1.0) == [0, 1, 2, 3, 4]
    gap = COLOURS.clone()
    gap[0] = torch.nan
    assert distinct_modes(gap, 24.0) == [1, 2, 3, 4]
    assert distinct_modes(torch.full((2, 3), torch.nan), 24.0) == []


def test_widening_takes_a_square_around_every_pixel():
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[4, 0] = True
    wide = dilate(mask, 2)
    assert wide[2:7, :3].all() and int(wide.sum()) == 15


def test_figures_hold_the_matrix_of_intended_and_obtained_colours():
    metric = StyleControl(CLASSES)
    drawn = metric.figures(metric.measure([scene(), scene()]))["car"]
    assert drawn["modes"] == [0, 1, 2, 4]
    assert drawn["intended"] == drawn["obtained"] == COLOURS[[0, 1, 2, 4]].tolist()
    assert drawn["confusion"] == drawn["levelled"] == (2 * np.eye(4, dtype=int)).tolist()


def test_photos_hit_where_they_look_as_the_mode_that_is_found_in_them():
    one, other = scene(), scene()
    for found, colour in ((one, COLOURS[0]), (other, COLOURS[2])):
        found["real"] = torch.zeros(3, 32, 64, dtype=torch.uint8)
        found["real"][:, found["instance"][0] == 7001] = colour.to(torch.uint8)[:, None]
    assert scored(one)["style/hit_photos"] == 1
    found = scored(one, other)
    assert found["style/hit_photos"] == 0.5 and found["style/pictures"] == 8
    assert np.isnan(scored(scene())["style/hit_photos"])


def test_an_unknown_class_is_refused():
    with pytest.raises(UserError, match="'cars' is no class of the data. Did you mean 'car'"):
        StyleControl(CLASSES, only=["cars"])
