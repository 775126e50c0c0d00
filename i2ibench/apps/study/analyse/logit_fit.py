"""Multinomial logit fitted to counts, many tables of them at once."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

RIDGE = 0.01
"""Weight of a squared norm beside the log-likelihood: a method that always wins stays finite."""

STEPS = 200


def fit_logits(counts: Values, features: Values) -> Values:
    """Parameters [D, P] that maximise Σ count · log p(outcome) - RIDGE/2 · |parameters|².

    p(outcome) of a cell is the softmax over its outcomes of features · parameters. The function
    is concave; Newton's steps, none longer than 1 in a parameter, end at its only maximum.

    Args:
        counts: [D, cells, outcomes].
        features: [cells, outcomes, P].
    """
    found = np.zeros((len(counts), features.shape[2]))
    totals = counts.sum(2)
    open_ = np.arange(len(counts))
    for _ in range(STEPS):
        step = _newton_step(counts[open_], totals[open_], features, found[open_])
        step /= np.maximum(np.abs(step).max(1, keepdims=True), 1)
        found[open_] += step
        open_ = open_[np.abs(step).max(1) > 1e-9]
        if not len(open_):
            break
    return found


def log_likelihood(counts: Values, features: Values, parameters: Values) -> Values:
    """What `fit_logits` maximises, without the ridge, [D]."""
    scores = np.einsum("cop,dp->dco", features, parameters)
    top = scores.max(2, keepdims=True)
    logs = scores - top - np.log(np.exp(scores - top).sum(2, keepdims=True))
    return (counts * logs).sum((1, 2))


def _newton_step(counts: Values, totals: Values, features: Values, at: Values) -> Values:
    scores = np.einsum("cop,dp->dco", features, at)
    shares = np.exp(scores - scores.max(2, keepdims=True))
    shares /= shares.sum(2, keepdims=True)
    expected = totals[:, :, None] * shares
    slope = np.einsum("dco,cop->dp", counts - expected, features) - RIDGE * at
    means = np.einsum("dco,cop->dcp", shares, features)
    squares = np.einsum("cop,coq->copq", features, features)
    bend = np.einsum("dco,copq->dpq", expected, squares)
    bend -= np.einsum("dc,dcp,dcq->dpq", totals, means, means)
    bend += RIDGE * np.eye(features.shape[2])
    return np.asarray(np.linalg.solve(bend, slope[..., None])[..., 0])
