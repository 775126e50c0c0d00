"""Run `i2ibench convert`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("convert")
