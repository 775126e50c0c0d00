"""Simulated participants who take part through the page's own interface, several at a time."""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from i2ibench.apps.study.analyse.simulation import Crowd
from i2ibench.apps.study.answers import Answer
from i2ibench.apps.study.collect.page import public_study
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError
from i2ibench.io.progress import Progress

TIMEOUT_SECONDS = 60.0


@dataclass
class Traffic:
    """What the participants did, and how long the server took.

    Attributes:
        acknowledged: by token the answers that the server said it keeps.
        seconds: of every request.
    """

    acknowledged: dict[str, list[Answer]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def note(self, seconds: float) -> None:
        """Count a request."""
        with self._lock:
            self.seconds.append(seconds)

    def took(self, share: float) -> float:
        """The time that this share of the requests stayed below, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def send_participants(
    study: Study, url: str, crowd: Crowd, participants: int, concurrent: int
) -> Traffic:
    """Let simulated participants take part in a study that is being served.

    Each of them enters, consents, loads every image that it is shown, and answers; the server
    counts them as simulated.

    Args:
        study: the one that is served; it knows which image is whose.
        url: the page's address.
        crowd: how they answer; who has the plan n answers as the crowd's n-th.
        participants: how many.
        concurrent: how many at a time.

    Raises:
        UserError: nobody listens there, another study is served, or the server refused something.
    """
    traffic = Traffic()
    with Progress("participants", participants) as progress, ThreadPoolExecutor(concurrent) as pool:

        def take_part(number: int) -> None:
            with _Visit(url, traffic) as visit:
                _sitting(study, visit, crowd, traffic)
            progress.advance()

        list(pool.map(take_part, range(participants)))
    return traffic


def _sitting(study: Study, visit: "_Visit", crowd: Crowd, traffic: Traffic) -> None:
    """One participant from the first page to the last answer."""
    visit.get("/")
    if json.loads(visit.get("/api/study"))["id"] != public_study(study)["id"]:
        raise UserError(f"Another study is served there than the one in {study.folder}.")
    sitting = visit.post("/api/enter", {})
    name = {"token": sitting["token"], "nonce": sitting["nonce"]}
    sitting = visit.post("/api/consent", {**name, "simulated": True})
    plan = study.plan(sitting["slot"])
    acknowledged = traffic.acknowledged.setdefault(name["token"], [])
    for trial, images in zip(plan, sitting["trials"], strict=True):
        for side in ("left", "right"):
            visit.get(f"/pictures/{images[side]}.png")
        answer = crowd.answer(sitting["slot"], trial)
        if answer is not None:
            visit.post("/api/answer", {**name, "answer": answer.as_dict()})
            acknowledged.append(answer)


class _Visit:
    """One participant's connection, which stays open between requests."""

    def __init__(self, url: str, traffic: Traffic) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"--url is an address such as http://127.0.0.1:8000/, not {url!r}.")
        connect = {"http": HTTPConnection, "https": HTTPSConnection}[parts.scheme]
        self._connection = connect(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        self._path, self._url, self._traffic = parts.path.rstrip("/"), url, traffic

    def __enter__(self) -> "_Visit":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def get(self, path: str) -> bytes:
        """What the server gives."""
        return self._ask("GET", path)

    def post(self, path: str, message: Mapping[str, Any]) -> dict[str, Any]:
        """What the server answers to a message."""
        answer: dict[str, Any] = json.loads(self._ask("POST", path, json.dumps(message).encode()))
        return answer

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        begun = time.perf_counter()
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            self._connection.request(method, f"{self._path}{path}", body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            raise UserError(f"{self._url} does not answer: {error}. Is it served?") from None
        self._traffic.note(time.perf_counter() - begun)
        if response.status != 200:
            said = content[:200].decode(errors="replace")
            raise UserError(f"{self._url} refused {path}: {response.status} {said}")
        return content
