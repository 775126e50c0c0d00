"""Run `i2ibench parts`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("parts")
