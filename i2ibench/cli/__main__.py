"""Run the command `i2ibench` by `python -m i2ibench.cli`."""

from i2ibench.cli.main import main

if __name__ == "__main__":
    main()
