"""How often routes come back to a ward before they lead home: an absorbing Markov chain (Kemeny and Snell, Finite
Markov Chains, 1960, section 3.2)."""

import numpy as np

VISITS_AT_MOST = 10.0
"""Visits to one ward, on average, beyond which learned routes are no patient's way but a lack of records."""


def visits_until_home(onward: np.ndarray) -> np.ndarray:
    """f8[..., W]: how often a patient who is in each of W wards is in it until home on average, this time included.

    `onward` f8[..., W, W] are probabilities of the next ward; every ward must lead home in the end.
    """
    return np.linalg.inv(np.eye(onward.shape[-1]) - onward).diagonal(axis1=-2, axis2=-1)
