"""Run `i2ibench shards`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main("shards")
