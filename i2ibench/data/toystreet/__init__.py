"""ToyStreet: street scenes drawn by a program, in the Cityscapes layout."""

from i2ibench.data.toystreet.dataset import ToyStreet, drawn_streets
