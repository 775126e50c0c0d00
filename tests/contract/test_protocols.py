"""Every registered protocol is a plain config with a hash, made of parts that exist."""

import json

import pytest

from i2ibench.errors import UserError
from i2ibench.protocols.protocol import build_protocol, fingerprint
from i2ibench.registry import DATASETS, METRICS, PROTOCOLS, SEGMENTERS, check_names


@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_a_protocol_names_parts_and_options_that_exist(name):
    protocol = build_protocol(name)
    for data in (protocol.data, protocol.reference):
        if data is not None:
            options = dict(data)
            check_names(DATASETS.find(options.pop("type")), options)
    for cfg in protocol.metrics.values():
        if cfg is not None:
            options = dict(cfg)
            check_names(METRICS.find(options.pop("type")), options)
            if options.get("segmenter"):
                segmenter = dict(options["segmenter"])
                check_names(SEGMENTERS.find(segmenter.pop("type")), segmenter)


@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_a_protocols_hash_is_of_plain_json_and_of_everything_that_decides_numbers(name):
    protocol = build_protocol(name)
    facts = protocol.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert fingerprint(facts) == fingerprint(dict(reversed(facts.items())))
    other = build_protocol({"type": name, "metrics": {"pixels": None}})
    assert fingerprint(other.facts()) != fingerprint(facts)


def test_an_unknown_protocol_or_option_is_refused():
    with pytest.raises(UserError, match="No protocol named 'cityscape'. Did you mean 'cityscapes'"):
        build_protocol("cityscape")
    with pytest.raises(UserError, match="no option 'widht'. Did you mean 'width'"):
        build_protocol({"type": "cityscapes", "widht": 3})
    with pytest.raises(UserError, match="resize is None or one of"):
        build_protocol({"type": "cityscapes", "resize": "area"})
