"""Published data sets brought into the layout that `PairedFolder` reads; one file a data set."""
