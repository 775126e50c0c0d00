"""ToyStreet: street scenes drawn by a program, in the Cityscapes layout."""
