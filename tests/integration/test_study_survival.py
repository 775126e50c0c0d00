"""kill -9 while participants answer: every answer that was acknowledged is there afterwards."""

import http.client
import json
import random
import subprocess
import sys
import threading
from dataclasses import asdict
from urllib.parse import urlsplit

import pytest

from i2ibench.apps.study.answers import Answer
from i2ibench.apps.study.collect.answer_store import AnswerStore
from tests.study_folder import write_study

pytest.importorskip("uvicorn", reason="pip install -e '.[web]'")

SERVER = """
import sys
from pathlib import Path
from i2ibench.apps.study.collect.server import create_app
from i2ibench.apps.study.define.study import open_study
from i2ibench.apps.web.serving import address, listen, serve
listening = listen("127.0.0.1", 0)
app = create_app(open_study(Path(sys.argv[1])), "127.0.0.1", listening.getsockname()[1])
print(address("127.0.0.1", listening), flush=True)
serve(app, listening)
"""
SITTERS = 6


class Sitter(threading.Thread):
    """A participant who answers at random, some trials twice, until the server is gone."""

    def __init__(self, port, seed, token=None, enough=None):
        super().__init__()
        self.port, self.random, self.token = port, random.Random(seed), token
        self.acknowledged, self.enough = {}, enough

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            self.sit(connection)
        except (OSError, http.client.HTTPException):
            pass  # it was killed
        finally:
            connection.close()

    def sit(self, connection):
        session = post(connection, "enter", {"token": self.token} if self.token else {})
        known = {name: session[name] for name in ("token", "nonce")}
        trials = len((session if self.token else post(connection, "consent", known))["trials"])
        self.token = session["token"]
        while True:
            answer = Answer(self.random.randrange(trials), "left", self.random.uniform(300, 9000))
            receipt = post(connection, "answer", {**known, "answer": asdict(answer)})
            if receipt["counted"]:
                self.acknowledged[answer.trial] = answer
                self.enough.release()


def post(connection, path, message):
    connection.request("POST", f"/api/{path}", json.dumps(message))
    answer = connection.getresponse()
    body = json.loads(answer.read())
    assert answer.status == 200, body
    return body


def killed_run(folder, seed, tokens, answers=60):
    """Return the acknowledged answers when the server was killed after a number of answers."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    enough = threading.Semaphore(0)
    port = urlsplit(server.stdout.readline()).port
    sitters = [Sitter(port, seed + n, token, enough) for n, token in enumerate(tokens)]
    for sitter in sitters:
        sitter.start()
    for _ in range(answers):
        assert enough.acquire(timeout=30)
    server.kill()
    server.communicate(timeout=20)
    for sitter in sitters:
        sitter.join(30)
    return sitters


def test_acknowledged_answers_survive_kills(tmp_path):
    study = write_study(tmp_path, num_scenes=60, per_pair=60, repeats=0)
    tokens, acknowledged = [None] * SITTERS, {}
    for seed in (100, 200):
        sitters = killed_run(tmp_path, seed, tokens)
        tokens = [sitter.token for sitter in sitters]
        for sitter in sitters:
            acknowledged.setdefault(sitter.token, {}).update(sitter.acknowledged)
    with AnswerStore(study) as store:
        collected = store.collected()
    assert {p.token for p in collected.participants} == set(tokens)
    assert sorted(p.slot for p in collected.participants) == list(range(SITTERS))
    for token, answers in acknowledged.items():
        kept = {answer.trial: answer for answer in collected.answers[token]}
        assert answers.items() <= kept.items()
        assert len(kept) - len(answers) <= 2  # kept, but the kill came before the receipt
    assert sum(map(len, acknowledged.values())) >= 120
