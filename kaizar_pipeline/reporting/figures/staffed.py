"""The words for staffed beds in figures, and the words that several figures share."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from kaizar_pipeline.reporting.numbers import JOINER, Cells, Number


def staffed_words(fewest: Number, most: Number, weekends: bool = False) -> Markup:
    """'13 staffed', '40-44 staffed', or '44 staffed, 40 at weekends' inside an SVG text."""
    if str(fewest) == str(most):
        return Markup("{} staffed").format(most.svg)
    if weekends:
        return Markup("{} staffed, {} at weekends").format(most.svg, fewest.svg)
    return Markup("{}{}–{}{} staffed").format(fewest.svg, JOINER, JOINER, most.svg)


def staffed_days(cells: Cells, ward: str, days: pd.DataFrame) -> Markup | None:
    """The words for rows of ward_days; None where no number of beds is set."""
    beds = days[["staffed_fewest", "staffed_most"]].to_numpy("f8", na_value=np.nan)
    if np.isnan(beds).all():
        return None
    dates = days["date"].tolist()
    fewest = cells.number("ward_days", "staffed_fewest", ward, dates[np.nanargmin(beds[:, 0])])
    most = cells.number("ward_days", "staffed_most", ward, dates[np.nanargmax(beds[:, 1])])
    weekend = np.array([date.day_of_week >= 5 for date in dates])
    two_levels = (beds[weekend] == np.nanmin(beds)).all() and (beds[~weekend] == np.nanmax(beds)).all()
    return staffed_words(fewest, most, bool(two_levels and weekend.any() and not weekend.all()))
