"""Run `i2ibench prepare_data`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("prepare_data")
