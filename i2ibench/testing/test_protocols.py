"""A protocol promises a plain config with a hash, made of parts that exist."""

import json

import pytest

from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.io.provenance import fingerprint
from i2ibench.registry import DATASETS, METRICS, SEGMENTERS, check_names


@pytest.mark.contract("protocol")
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


@pytest.mark.contract("protocol")
def test_a_protocols_hash_is_of_plain_json_and_of_everything_that_decides_numbers(name):
    protocol = build_protocol(name)
    settings = protocol.settings()
    assert json.loads(json.dumps(settings)) == settings, f"{name}'s settings must be JSON values"
    assert fingerprint(settings) == fingerprint(dict(reversed(settings.items()))), name
    some = next((key for key, metric in protocol.metrics.items() if metric is not None), None)
    if some is not None:
        other = build_protocol({"type": name, "metrics": {some: None}})
        assert fingerprint(other.settings()) != fingerprint(settings), (
            f"a protocol's hash must change with its metrics; {name}'s does not"
        )
