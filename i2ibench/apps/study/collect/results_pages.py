"""The results pages for the lab: the progress of the study, its tables, and who may read them."""

import asyncio
import hmac
import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from i2ibench.apps.study.answers import Collected
from i2ibench.apps.study.collect.answer_files import answers_csv, count_by_kind, participants_csv
from i2ibench.apps.study.define.design import MAIN
from i2ibench.apps.study.define.study import Study
from i2ibench.reports.rendering import render

_PRIVATE = {"Cache-Control": "no-store"}

# Headers that proxies add to requests. Through a proxy that adds none, everybody looks local.
_FORWARDED = {
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip",
    "fastly-client-ip",
}  # fmt: skip
_FORWARDING = ("x-forwarded-", "cf-")

_HERE = "on the server's own machine, at its loopback address, or "
_WITH_KEY = (
    "with the key that the server was started with (study serve --results-key FILE): add ?key=KEY "
    "to the address, or send Authorization: Bearer KEY."
)


def add_results(
    app: FastAPI,
    study: Study,
    collect: Callable[[], Awaitable[Collected]],
    key: str | None,
    behind_proxy: bool,
) -> None:
    """Add `/results`, `/results/answers.csv` and `/results/participants.csv` to an application.

    A request that may not read the results gets status 403.

    Args:
        app: the study's application.
        study: the study.
        collect: returns the answers up to now; it is called for every request.
        key: lets other machines read the results; None lets only this machine read them.
        behind_proxy: whether visitors come through a proxy. Nobody can read without the key then.
    """

    own = replace(study)  # a copy, because a design must not be used by two threads
    turn = asyncio.Lock()

    async def make(request: Request, write: Callable[..., str], *arguments: str) -> str:
        if not _may_read(request, key, behind_proxy):
            raise HTTPException(403, f"Results are read {'' if behind_proxy else _HERE}{_WITH_KEY}")
        async with turn:
            return await asyncio.to_thread(write, own, await collect(), *arguments)

    @app.get("/results")
    async def status(request: Request) -> Response:
        query = f"?{request.url.query}" if "key" in request.query_params else ""
        return HTMLResponse(await make(request, _status_page, query), headers=_PRIVATE)

    @app.get("/results/answers.csv")
    async def answers(request: Request) -> Response:
        return Response(await make(request, answers_csv), 200, _PRIVATE, "text/csv")

    @app.get("/results/participants.csv")
    async def participants(request: Request) -> Response:
        return Response(await make(request, participants_csv), 200, _PRIVATE, "text/csv")


def _status_page(study: Study, collected: Collected, query: str) -> str:
    """Return the page with the numbers of participants and of answers to each pair, as HTML."""
    return render(
        "study_status.html",
        title=study.definition.title,
        planned=study.definition.participants,
        kinds=count_by_kind(collected),
        pairs=_answers_by_pair(study, collected),
        query=query,
    )


def _answers_by_pair(study: Study, collected: Collected) -> list[tuple[str, str, int, int]]:
    """Return (method, other method, real answers, simulated answers) for each compared pair.

    Only answers to main trials are counted, without any exclusion.
    """
    counts: Counter[tuple[frozenset[str], bool]] = Counter()
    for p in collected.participants:
        plan = study.plan(p.slot)
        for answer in collected.answers.get(p.token, ()):
            trial = plan[answer.trial]
            if trial.kind == MAIN:
                counts[frozenset((trial.left, trial.right)), p.simulated] += 1
    return [
        (one, other, counts[frozenset((one, other)), False], counts[frozenset((one, other)), True])
        for one, other in study.definition.compared
    ]


def _may_read(request: Request, key: str | None, behind_proxy: bool) -> bool:
    """Return whether a request may read the results.

    A request with a key must have the right one; if the server has no key, none is right. A request
    without a key must come from this machine and must not be forwarded. Behind a proxy every
    request counts as forwarded.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    request_key = value.strip() if scheme.lower() == "bearer" else request.query_params.get("key")
    if request_key is not None:
        return key is not None and hmac.compare_digest(request_key.encode(), key.encode())
    return not behind_proxy and not _is_forwarded(request.headers) and _is_local(request)


def _is_forwarded(headers: Mapping[str, str]) -> bool:
    return any(name in _FORWARDED or name.startswith(_FORWARDING) for name in headers)


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
