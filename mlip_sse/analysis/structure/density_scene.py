"""The density of the mobile ion with the framework around it, in three dimensions (plotly)."""

from typing import TYPE_CHECKING

from mlip_sse.analysis.structure.density_display import channel_scene

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from mlip_sse.analysis.structure.structure_analysis import StructureResult

__all__ = ["density_scene"]

_COLOURS = {"P": "#7B3294", "S": "#E6C200", "O": "#D7301F", "Cl": "#2CA02C", "Br": "#8C510A", "I": "#542788"}
_OTHER = ("#444444", "#A6761D", "#1B9E77", "#E7298A")


def density_scene(result: "StructureResult") -> "Figure":
    """Draw the channels and peaks of the density, and the mean positions of the framework's atoms.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.structure.structure_analysis.Structure.run`.
    """
    from plotly.graph_objects import Scatter3d

    figure = channel_scene(result.density_map)
    places, symbols = result.framework
    for k, symbol in enumerate(dict.fromkeys(symbols.tolist())):
        chosen = places[symbols == symbol].round(3)
        marker = {"size": 4, "color": _COLOURS.get(symbol, _OTHER[k % len(_OTHER)]), "opacity": 0.9}
        figure.add_trace(
            Scatter3d(
                x=chosen[:, 0],
                y=chosen[:, 1],
                z=chosen[:, 2],
                mode="markers",
                marker=marker,
                name=symbol,
                hoverinfo="name",
            )
        )
    return figure
