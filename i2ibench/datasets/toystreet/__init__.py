"""ToyStreet: street scenes drawn by a program, in the Cityscapes layout."""

from i2ibench.datasets.toystreet.dataset import ToyStreet, drawn_streets
