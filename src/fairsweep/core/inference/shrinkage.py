"""Shrinkage: values of small groups drawn towards the others', to order groups by and for nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fairsweep.core.inference.intervals import FloatArray


def der_simonian_laird(effect: FloatArray, variance: FloatArray) -> tuple[float, float]:
    """The mean of effects that differ by more than chance, and the variance between them.

    Args:
        effect: at least one estimate.
        variance: the variance of each, above 0.

    Returns:
        The mean, weighted by the reciprocal of the variances within and between, and the variance between, which is 0
        for a single effect and where the effects differ by no more than chance.

    Source:
        DerSimonian and Laird, Meta-analysis in clinical trials, Controlled Clinical Trials 1986.
    """
    weight = 1 / variance
    total = weight.sum()
    fixed = (weight * effect).sum() / total
    surplus = (weight * (effect - fixed) ** 2).sum() - (len(effect) - 1)
    # Scaled to weights that sum to 1: a single effect gives exactly 0.
    scale = 1 - ((weight / total) ** 2).sum()
    between = max(surplus / (total * scale), 0.0) if len(effect) > 1 and scale > 0 else 0.0
    weight = 1 / (variance + between)
    return float((weight * effect).sum() / weight.sum()), float(between)


def shrunk_gbe(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> FloatArray:
    """Group benefit equality of the groups of one attribute, shrunk towards their mean as far as chance explains.

    Empirical Bayes on the logarithm, with the variance `(fp + fn)/(F P)` within groups and DerSimonian and Laird's
    between them. Where F, P or the variance is 0, half a wrong flag and half a missed event are added, so that every
    group has a rank. Groups that differ by no more than chance all get their mean; their own values
    break the tie. Never printed as a result and never used to decide.

    Args:
        tp: flagged events, shape `[groups]`.
        fp: flagged non-events, likewise.
        fn: missed events, likewise.

    Returns:
        The shrunk values; NaN where a group has neither flags nor events.

    Source:
        Efron and Morris, Data analysis using Stein's estimator and its generalizations, JASA 1975.
    """
    tp, fp, fn = (np.asarray(a, dtype=np.float64) for a in (tp, fp, fn))
    wrong = fp + fn
    added = np.where((tp + fp == 0) | (tp + fn == 0) | (wrong == 0), 0.5, 0.0)
    flagged, events = tp + fp + added, tp + fn + added
    known = tp + wrong > 0
    shrunk = np.full(tp.shape, np.nan)
    if known.any():
        effect = np.log(flagged[known] / events[known])
        variance = ((wrong + 2 * added) / (flagged * events))[known]
        mean, between = der_simonian_laird(effect, variance)
        shrunk[known] = np.exp((between * effect + variance * mean) / (between + variance))
    return shrunk
