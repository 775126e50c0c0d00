"""Run `i2ibench new_plugin`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("new_plugin")
