"""What a user sees when a protocol's name or options are wrong."""

import pytest

from i2ibench.errors import UserError
from i2ibench.evaluation.protocols.protocol import build_protocol


def test_an_unknown_protocol_or_option_is_refused():
    with pytest.raises(UserError, match="No protocol named 'cityscape'. Did you mean 'cityscapes'"):
        build_protocol("cityscape")
    with pytest.raises(UserError, match="no option 'widht'. Did you mean 'width'"):
        build_protocol({"type": "cityscapes", "widht": 3})
    with pytest.raises(UserError, match="resize is None or one of"):
        build_protocol({"type": "cityscapes", "resize": "area"})
