"""Bringing data sets into the layout that `PairedFolder` reads; one file a data set."""
