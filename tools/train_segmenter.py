"""Run `i2ibench train_segmenter`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("train_segmenter")
