"""Run `i2ibench study`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("study")
