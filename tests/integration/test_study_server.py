"""The study's server limits what participants do, who reads results, and what is revealed."""

import csv
import io
import json
import logging
import os
import sqlite3
import time
from email.utils import formatdate

import pytest

from i2ibench.apps.study.collect.answer_store import AnswerStore
from i2ibench.apps.study.collect.messages import MAX_MESSAGE_BYTES
from i2ibench.apps.study.collect.server import create_app
from i2ibench.apps.study.define.definition import DEGRADED
from i2ibench.errors import UserError
from tests.study_folder import METHODS, SECRET, write_study

testclient = pytest.importorskip("fastapi.testclient", reason="pip install -e '.[dev]'")

HOME = "http://127.0.0.1:8000"
PUBLIC = "https://lab.example/study/"
PROXIES = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP",
    "CF-Connecting-IP", "Cf-Ray", "True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP",
    "Fastly-Client-IP",
)  # fmt: skip
ANSWER = {"trial": 0, "choice": "left", "response_ms": 900}


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


def client_of(study, client=("127.0.0.1", 5555), base=HOME, **options):
    app = create_app(study, "127.0.0.1", 8000, **options)
    return testclient.TestClient(
        app, base_url=base, client=client, raise_server_exceptions=False, follow_redirects=False
    )


@pytest.fixture
def client(study):
    with client_of(study) as client:
        yield client


def seated(client, **more):
    new = client.post("/api/enter", json={}).json()
    known = {name: new[name] for name in ("token", "nonce")}
    return client.post("/api/consent", json={**known, **more}).json()


def answered(client, session, **changes):
    known = {name: session[name] for name in ("token", "nonce")}
    return client.post("/api/answer", json={**known, "answer": {**ANSWER, **changes}})


def test_a_session_from_the_first_page_to_the_code(client, study):
    new = client.post("/api/enter", json={}).json()
    assert not new["consented"] and new["trials"] == [] and new["code"] == ""
    session = seated(client)
    assert len(session["trials"]) == study.design.num_trials
    for number, trial in enumerate(session["trials"]):
        for side in ("left", "right"):
            image = client.get(f"/pictures/{trial[side]}.png")
            assert image.headers["content-type"] == "image/png"
            assert "immutable" in image.headers["cache-control"]
        receipt = answered(client, session, trial=number).json()
        assert receipt["counted"] and receipt["answered"] == number + 1
    assert receipt["finished"] and receipt["code"] == study.code(session["token"])
    again = client.post("/api/enter", json={"token": session["token"]}).json()
    assert again["finished"] and again["code"] == receipt["code"] and again["trials"] == []
    gone = client.post("/api/withdraw", json={"token": session["token"]})
    assert gone.json() == {"deleted": True}
    assert not client.post("/api/enter", json={"token": session["token"]}).json()["consented"]


def test_twice_and_elsewhere(client):
    session = seated(client)
    assert answered(client, session).json()["counted"]
    assert not answered(client, session, choice="right").json()["counted"]
    other = client.post("/api/enter", json={"token": session["token"]}).json()
    assert other["answered"] == [0]
    late = answered(client, session, trial=1)
    assert late.status_code == 409 and "another window" in late.json()["error"]
    assert answered(client, {**session, "token": "0" * 32}).status_code == 404


def test_the_completion_link_has_the_code(tmp_path):
    completion = {"code": "A&B", "url": "https://app.example/done?cc={code}"}
    study = write_study(tmp_path, completion=completion)
    with client_of(study) as client:
        session = seated(client)
        assert session["url"] == ""
        assert "A&B" not in client.get("/api/study").text
        for trial in range(study.design.num_trials):
            receipt = answered(client, session, trial=trial).json()
    assert (receipt["code"], receipt["url"]) == ("A&B", "https://app.example/done?cc=A%26B")


def test_nothing_public_tells_a_method_or_the_secret(client, study):
    texts = [client.get("/").text, client.get("/api/study").text]
    for _ in range(3):
        session = seated(client)
        texts += [json.dumps(session), answered(client, session).text]
        assert all(set(t) <= {"left", "right", "seconds", "better"} for t in session["trials"])
        practice = study.definition.practice
        assert ["better" in t for t in session["trials"]] == [
            n < practice for n in range(len(session["trials"]))
        ]
        for trial, shown in zip(study.plan(session["slot"]), session["trials"], strict=True):
            assert shown.get("better") in (None, "left" if trial.left == "real" else "right")
    for text in texts:
        for word in (*METHODS, DEGRADED, SECRET, "scene0", "catch", "repeat"):
            assert f'"{word}"' not in text and f" {word} " not in text


def test_no_header_tells_which_images_share_a_method(client, study):
    now = time.time()
    for number, (method, scene) in enumerate(study.image_keys):  # as if written method by method
        os.utime(study.image_path(method, scene), (now + number, now + number))
    told = {}
    for method, scene in study.image_keys:
        response = client.get(f"/pictures/{study.image_id(method, scene)}.png")
        hint = {"if-modified-since": formatdate(now + 99, usegmt=True), "if-none-match": "*"}
        again = client.get(f"/pictures/{study.image_id(method, scene)}.png", headers=hint)
        assert again.status_code == response.status_code == 200
        headers = dict(response.headers)
        assert int(headers.pop("content-length")) == len(response.content)
        told.setdefault(method, []).append(headers)
    assert len({json.dumps(each, sort_keys=True) for some in told.values() for each in some}) == 1
    assert set(headers) == {
        "cache-control", "content-type", "content-security-policy", "referrer-policy",
        "x-content-type-options",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/study.json", "/answers.sqlite", "/pictures/../study.json", "/pictures/..%2Fstudy.json",
     "/pictures/%2e%2e/study.json", "/pictures/study.json.png", "/static/../server.py",
     "/static/%2e%2e/server.py", "/static/..%2fserver.py", "/pictures/", "/docs",
     "/openapi.json", f"/pictures/{'0' * 24}.png", "/pictures/%00.png"],
)  # fmt: skip
def test_nothing_else_in_any_folder_is_reachable(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 4000, b'{"token": 7}',
     b'{"token": "../../etc"}', b'{"token": "' + b"A" * 32 + b'"}'],
)  # fmt: skip
@pytest.mark.parametrize("path", ["enter", "consent", "answer", "withdraw"])
def test_hostile_messages_are_refused_legibly(client, path, body):
    response = client.post(f"/api/{path}", content=body)
    assert response.status_code == 400
    assert list(response.json()) == ["error"] and "Traceback" not in response.text


@pytest.mark.parametrize(
    "changes",
    [{"trial": 99}, {"trial": -1}, {"trial": True}, {"trial": 10**400}, {"choice": "tie"},
     {"choice": ["left"]}, {"response_ms": None}, {"shown_ms": 100}, {"more": 1},
     {"zoom": "\ud800"}, {"width": 1.5}],
)  # fmt: skip
def test_hostile_answers_are_refused_and_not_kept(client, study, changes):
    session = seated(client)
    known = {name: session[name] for name in ("token", "nonce")}
    body = json.dumps({**known, "answer": {**ANSWER, **changes}})
    response = client.post("/api/answer", content=body)
    assert response.status_code == 400 and list(response.json()) == ["error"]
    with AnswerStore(study) as store:
        assert store.collected().answers[session["token"]] == []


def test_limited_time_needs_its_exposure(tmp_path):
    with client_of(write_study(tmp_path, durations=(0.125,))) as client:
        session = seated(client)
        assert "shown_ms" in answered(client, session).json()["error"]
        assert answered(client, session, shown_ms=133.0).json()["counted"]


def test_long_messages_are_cut_off(client):
    response = client.post("/api/enter", content=b" " * (MAX_MESSAGE_BYTES + 1))
    assert response.status_code == 413
    assert client.get("/api/enter").status_code == 405


def test_other_names_and_pages_are_refused(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    response = client.post("/api/enter", json={}, headers={"origin": "https://evil.example"})
    assert response.status_code == 400 and "--public-url" in response.text
    assert client.post("/api/enter", json={}, headers={"origin": HOME}).status_code == 200


def test_results_are_read_on_this_machine(client, study):
    session = seated(client)
    answered(client, session)
    simulated = seated(client, simulated=True)
    page = client.get("/results")
    assert page.status_code == 200 and "pix2pix – crn" in page.text
    (row,) = csv.DictReader(io.StringIO(client.get("/results/answers.csv").text))
    trial = study.plan(0)[0]
    assert (row["token"], row["kind"], row["preferred"]) == (
        session["token"], "practice", trial.left,
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(client.get("/results/participants.csv").text)))
    assert [(r["token"], r["simulated"], r["answers"]) for r in rows] == [
        (session["token"], "False", "1"), (simulated["token"], "True", "0"),
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/results", "/results/answers.csv", "/results/participants.csv"])
def test_results_are_closed_to_everybody_else(study, path):
    with client_of(study, client=("192.168.1.9", 5555)) as far:
        assert far.get(path).status_code == 403
        assert "?key=" in far.get(path).json()["error"]
    with client_of(study, client=("::1", 5555)) as near:
        assert near.get(path).status_code == 200
        for name in PROXIES:
            assert near.get(path, headers={name: "127.0.0.1"}).status_code == 403
        assert near.get(f"{path}?key=").status_code == 403
    with client_of(study, public_url=PUBLIC) as proxied:
        refused = proxied.get(path)
        assert refused.status_code == 403
        assert "--results-key" in refused.text and "loopback" not in refused.text


def test_the_key_opens_the_results_from_anywhere(study):
    options = {"client": ("192.168.1.9", 5555), "public_url": PUBLIC, "results_key": "open sesame"}
    with client_of(study, **options) as client:
        assert client.get("/results?key=open+sesame").status_code == 200
        assert "answers.csv?key=open" in client.get("/results?key=open+sesame").text
        bearer = {"authorization": "Bearer open sesame"}
        assert client.get("/results/answers.csv", headers=bearer).status_code == 200
        for wrong in ("", "open", "open+sesame+", "%C3%A4%FF"):
            assert client.get(f"/results?key={wrong}").status_code == 403
        assert client.get("/results").status_code == 403


def test_a_proxy_may_keep_or_strip_the_path(study):
    with client_of(study, base="https://lab.example", public_url=PUBLIC) as client:
        origin = {"origin": "https://lab.example"}
        for prefix in ("", "/study"):
            assert client.get(f"{prefix}/api/study").json()["title"] == "Streets"
            assert client.post(f"{prefix}/api/enter", json={}, headers=origin).status_code == 200
        assert client.get("/study").headers["location"] == "/study/"
    page = client.get("/study/").text
    assert '="/' not in page and "='/" not in page


def test_a_public_address_that_is_none_is_refused(study):
    for url in ("lab", "ftp://lab.example/", "https://", "http://[lab"):
        with pytest.raises(UserError) as caught:
            create_app(study, "127.0.0.1", 8000, public_url=url)
        assert f"one such as https://lab.example/study/, not {url!r}" in str(caught.value)


def test_a_full_disk_is_told_as_such_and_takes_answers_again(client, study, monkeypatch, caplog):
    session = seated(client)
    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger("uvicorn.error"), "filters", [])  # once a minute
        patch.setattr("i2ibench.apps.study.collect.answer_store.insert_answers", full)
        response = answered(client, session)
        assert response.status_code == 507
        assert response.json()["error"].startswith("The disk is full")
        assert "is full, so" in caplog.text and str(study.folder) in caplog.text
    assert client.post("/api/enter", json={"token": session["token"]}).json()["answered"] == []
    again = client.post("/api/enter", json={"token": session["token"]}).json()
    assert answered(client, again).json()["counted"]


def full(*_):
    raise sqlite3.OperationalError("database or disk is full")


def test_a_disk_that_fails_is_no_defect(client, monkeypatch):
    session = seated(client)

    def failing(*_):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("i2ibench.apps.study.collect.answer_store.insert_answers", failing)
    response = answered(client, session)
    assert response.status_code == 503 and "cannot read or write" in response.json()["error"]


def test_a_defect_gives_no_traceback(client, study, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret thing")

    monkeypatch.setattr(AnswerStore, "enter", broken)
    response = client.post("/api/enter", json={})
    assert response.status_code == 500
    assert list(response.json()) == ["error"] and "secret" not in response.text
