"""Simulated participants who use the page's own interface, several at a time."""

import contextlib
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from i2ibench.apps.study.analyse.simulation import Crowd
from i2ibench.apps.study.answers import Answer
from i2ibench.apps.study.collect.page_texts import public_study
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError
from i2ibench.io.progress import Progress

TIMEOUT_SECONDS = 60.0


@dataclass
class Traffic:
    """The answers that a server acknowledged, and its response times.

    Attributes:
        acknowledged: acknowledged answers by token.
        seconds: response time of every request.
    """

    acknowledged: dict[str, list[Answer]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def took(self, share: float) -> float:
        """Return a quantile of the response times, in milliseconds; there must be a request.

        Args:
            share: from 0 to 1; 0.5 is the median.
        """
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def send_participants(
    study: Study, url: str, crowd: Crowd, participants: int, concurrent: int
) -> Traffic:
    """Let simulated participants take part in a study that is being served.

    Each of them enters, consents, loads the images of each trial, and answers. The server stores
    them as simulated.

    Args:
        study: the served study. It tells which image belongs to which method.
        url: the page's address.
        crowd: the preferences. The participant with plan n answers as the crowd's n-th member.
        participants: how many take part.
        concurrent: how many take part at the same time.

    Returns:
        The acknowledged answers and the response times.

    Raises:
        UserError: no server listens there, it serves another study, or it refused a request.
    """
    traffic = Traffic()
    with Progress("participants", participants) as progress, ThreadPoolExecutor(concurrent) as pool:

        def take_part(number: int) -> None:
            with contextlib.closing(_Client(url, traffic)) as client:
                _take_part(study, client, crowd, traffic)
            progress.advance()

        list(pool.map(take_part, range(participants)))
    return traffic


def _take_part(study: Study, client: "_Client", crowd: Crowd, traffic: Traffic) -> None:
    """Let one simulated participant take part, from the first page to the last answer.

    Acknowledged answers are added to `traffic`. Trials that the crowd leaves out are not sent.
    """
    client.request("/")
    if json.loads(client.request("/api/study"))["id"] != public_study(study)["id"]:
        raise UserError(f"Another study is served there than the one in {study.folder}.")
    session = json.loads(client.request("/api/enter", {}))
    name = {"token": session["token"], "nonce": session["nonce"]}
    session = json.loads(client.request("/api/consent", {**name, "simulated": True}))
    acknowledged = traffic.acknowledged.setdefault(name["token"], [])
    for trial, images in zip(study.plan(session["slot"]), session["trials"], strict=True):
        for side in ("left", "right"):
            client.request(f"/pictures/{images[side]}.png")
        answer = crowd.answer(session["slot"], trial)
        if answer is not None:
            client.request("/api/answer", {**name, "answer": asdict(answer)})
            acknowledged.append(answer)


class _Client:
    """The connection of one participant, which stays open between requests."""

    def __init__(self, url: str, traffic: Traffic) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"--url is an address such as http://127.0.0.1:8000/, not {url!r}.")
        connect = {"http": HTTPConnection, "https": HTTPSConnection}[parts.scheme]
        self._connection = connect(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        self._path, self._url, self._traffic = parts.path.rstrip("/"), url, traffic

    def close(self) -> None:
        self._connection.close()

    def request(self, path: str, message: Mapping[str, Any] | None = None) -> bytes:
        """Post a message to a path of the server, or get the path if there is no message.

        The response time is added to the traffic, also if the server refuses the request.

        Args:
            path: the path below the page's address, such as "/api/enter".
            message: the object to send as JSON; None gets the path.

        Returns:
            The response's body.

        Raises:
            UserError: the server does not answer, or the status is not 200.
        """
        begun = time.perf_counter()
        method, body, headers = "GET", None, {}
        if message is not None:
            method, body = "POST", json.dumps(message).encode()
            headers = {"Content-Type": "application/json"}
        try:
            self._connection.request(method, f"{self._path}{path}", body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            raise UserError(f"{self._url} does not answer: {error}. Is it served?") from None
        self._traffic.seconds.append(time.perf_counter() - begun)  # any thread may append
        if response.status != 200:
            text = content[:200].decode(errors="replace")
            raise UserError(f"{self._url} refused {path}: {response.status} {text}")
        return content
