"""Public contract tests, which hold every registered part to the promises of its kind.

    pytest --pyargs i2ibench.testing --plugin my_package

tests the parts of one plugin (a package, a module, or the path of a .py file); without `--plugin`
every registered part is tested. The option comes from `i2ibench.testing.pytest_plugin`, which
pytest loads through its entry-point group `pytest11`: options have to be known before pytest looks
for tests, and a conftest.py inside `--pyargs` is read too late for that.

A package's own suite imports them instead:

    from i2ibench.testing.test_losses import *
    PLUGIN = "my_package"

A part is built with its default options. If these make it too large, or if it needs files, give its
class the attribute `contract_options`: a dict of options, or a static method that gets an empty
folder, may write into it, and returns the options. See `i2ibench.testing.parts`.

pytest is needed here and nowhere else in i2ibench: `pip install i2ibench[testing]`.
"""
