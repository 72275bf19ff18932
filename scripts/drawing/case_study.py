"""Draw Group Benefit Equality of the case study's three models by age band, and print the same as a table."""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import pandas as pd

from fairsweep.stores.delta_rs import DeltaRsStore
from fairsweep.stores.places import Place

MODELS = ("medicare", "medicaid", "blend")
QUERY = """
SELECT model_id, group_value, group_benefit_equality AS gbe, gbe_ci_low AS low, gbe_ci_high AS high, verdict
FROM v_group_benefit_equality WHERE attribute = 'age_band' AND operating_point = 'capacity' ORDER BY group_value
"""
COLOURS = {"breach": "#b2182b"}


def draw(rows: pd.DataFrame, path: str) -> None:
    """One panel a model; groups in breach are red."""
    figure, panels = plt.subplots(1, len(MODELS), figsize=(9, 3.2), sharey=True, layout="constrained")
    for model, panel in zip(MODELS, panels, strict=True):
        own = rows[rows["model_id"] == model]
        for place, row in enumerate(own.itertuples()):
            colour = COLOURS.get(str(row.verdict), "#2166ac")
            panel.plot([place, place], [row.low, row.high], color=colour, linewidth=2)
            panel.plot(place, row.gbe, "o", color=colour)
        panel.axhline(0.8, color="0.4", linestyle="--", linewidth=1)
        panel.axhline(1.0, color="0.4", linewidth=1)
        panel.set_xticks(range(len(own)), own["group_value"])
        panel.set_title(model)
    panels[0].set_ylabel("flags per event (GBE)")
    panels[0].set_ylim(0, None)
    figure.savefig(path, metadata={"Date": None})


def main(warehouse: str, path: str) -> None:
    """Read the published verdicts, print them, draw them."""
    plt.rcParams["svg.hashsalt"] = "fairsweep"
    rows = DeltaRsStore(Place.warehouse(warehouse)).query(QUERY).to_pandas()
    draw(rows, path)
    for model in MODELS:
        own = rows[rows["model_id"] == model]
        cells = [f"{row.gbe:.2f}{' breach' if row.verdict == 'breach' else ''}" for row in own.itertuples()]
        print(f"| {model} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
