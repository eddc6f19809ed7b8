"""Quantiles of counted values."""

import numpy as np


def inverted_cdf(cumulative: np.ndarray, probability: float) -> np.ndarray:
    """The inverted-CDF quantile of each distribution of 0, 1, 2, ... given as cumulative counts [..., values]."""
    wanted = np.maximum(np.ceil(probability * cumulative[..., -1:] - 1e-9), 1)
    return (cumulative >= wanted).argmax(axis=-1)
