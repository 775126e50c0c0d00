import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.apps.editor.messages import (
    MAX_MESSAGE_BYTES,
    REQUESTS,
    MalformedMessage,
    frame,
    parse,
)

STROKE = {
    "type": "stroke", "id": 1, "stroke": 2, "points": [[1, 2]], "radius": 3, "label": 0,
    "instance": "auto", "end": True,
}  # fmt: skip


def refused(message) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        parse(message if isinstance(message, str | bytes) else json.dumps(message))
    return caught.value


def test_a_request_is_read_whole():
    request = parse(json.dumps(STROKE))
    assert (request.type, request.id) == ("stroke", 1)
    assert request.points == [(1, 2)] and request.end is True


def test_a_binary_request_has_a_payload():
    header = json.dumps({"type": "upload", "id": 7, "kind": "label"}).encode()
    request = parse(struct.pack("<I", len(header)) + header + b"payload")
    assert (request.payload, request.kind, request.name) == (b"payload", "label", None)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("radius", 257, "0..256"),
        ("radius", -1, "0..256"),
        ("radius", 1.0, "integer"),
        ("radius", True, "integer"),
        ("radius", 10**400, "integer"),
        ("points", [], "points"),
        ("points", [[0, 0]] * 4097, "4096 points"),
        ("points", [[0, 0, 0]], "[x, y]"),
        ("points", [[0, 9000]], "integer"),
        ("points", {"0": 1}, "points"),
        ("label", 256, "0..255"),
        ("label", None, "0..255"),
        ("instance", "old", "auto"),
        ("instance", 65536, "auto"),
        ("instance", [], "auto"),
        ("end", 1, "true"),
        ("more", 1, "no field"),
        ("type", "explode", "no request"),
        ("type", ["stroke"], "no request"),
    ],
)
def test_a_wrong_field_is_named_with_the_requests_number(field, value, said):
    error = refused({**STROKE, field: value})
    assert said in str(error) and error.id == 1


def test_names_may_hold_bytes_of_file_names_but_no_other_surrogates():
    opened = {"type": "open", "id": 1}
    assert parse(json.dumps({**opened, "scene": "\udcff"})).scene == "\udcff"
    assert "'scene' must be a text" in str(refused({**opened, "scene": "\ud800"}))


@pytest.mark.parametrize("field", [f for f in STROKE if f not in ("id", "type")])
def test_a_missing_field_is_named(field):
    error = refused({k: v for k, v in STROKE.items() if k != field})
    assert f"needs '{field}'" in str(error) and error.id == 1


@pytest.mark.parametrize(
    "message",
    [
        "", "null", "[]", "3", "{", '{"id": NaN}', '{"id": 1e999}', '{"id": -1}', '{"id": true}',
        '{"id": 1}', "[" * 100_000, '{"a":' * 50_000, "x" * (MAX_MESSAGE_BYTES + 1),
        '"' + "é" * (MAX_MESSAGE_BYTES - 9) + '"', "1" * 100_000,
        b"", b"\1\0", struct.pack("<I", 2**32 - 1) + b"{}", struct.pack("<I", 3) + b"{}",
        struct.pack("<I", 2) + b"\xff\xfe",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(message):
    refused(message)


def test_numbers_and_payloads_have_their_places():
    stamp = {
        "type": "stamp", "id": 1, "stamp": "car 1", "x": 1, "y": 2, "scale": 2, "flip": False,
        "label": 0,
    }  # fmt: skip
    assert parse(json.dumps(stamp)).scale == 2.0
    for wrong in ("NaN", "Infinity", "9", "0", '"1"', "1e400"):
        refused(json.dumps(stamp).replace('"scale": 2', f'"scale": {wrong}'))
    header = json.dumps({"type": "undo", "id": 7}).encode()
    refused(struct.pack("<I", len(header)) + header + b"payload")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.sampled_from(sorted(REQUESTS)), st.data())
def test_whatever_stands_in_the_fields_is_read_or_refused(kind, data):
    names = REQUESTS[kind].model_fields.keys() - {"type", "id"}
    fields = {name: data.draw(ANYTHING) for name in sorted(names) if data.draw(st.booleans())}
    try:
        assert parse(json.dumps({"type": kind, "id": 1, **fields})).type == kind
    except MalformedMessage as error:
        assert str(error)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_random_frames_are_read_or_refused(message):
    try:
        parse(message)
    except MalformedMessage as error:
        str(error).encode("ascii", "backslashreplace")


def test_frames_say_how_long_their_header_is():
    data = frame(b"\0\1", type="maps", text="\ud800é")
    (length,) = struct.unpack_from("<I", data)
    assert json.loads(data[4 : 4 + length]) == {"type": "maps", "text": "\ud800é"}
    assert data[4 + length :] == b"\0\1"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("hello", {"session": None}),
        ("style_from_photo", {"label": None}),
        ("style_from_photo", {"all": None}),
        ("style_from_photo", {"all": 1}),
        ("style_from_photo", {"all": False}),
        ("upload", {"kind": "label", "name": None}),
        ("upload", {"kind": "label", "payload": "x"}),
    ],
)
def test_optional_fields_are_left_out_rather_than_null_or_something_similar(kind, fields):
    assert refused({"type": kind, "id": 3, **fields}).id == 3
