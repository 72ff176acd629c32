"""Tables against reactions one by one, and the buffer between two phases."""

import numpy as np
import pytest

from mlip_sse.analysis.reactions import find_buffers, react, reservoir_of, screen, screen_coatings
from mlip_sse.analysis.reactions.electrochemistry import phase_stability
from mlip_sse.analysis.reactions.reaction_plots import plot_reaction, plot_screening, plot_stability
from mlip_sse.errors import InputError

ROWS = ["Li3PO4", "LiPO3", "Li2O", "Li2FeP2O7", "Li5P3O10"]
COLUMNS = ["FePO4", "Fe2O3", "Li3P", "LiPO3"]


@pytest.mark.parametrize("reservoirs", [None, reservoir_of("Li", 0.5), reservoir_of("Li", 4.4)])
def test_a_table_holds_the_reactions_one_by_one(lifepo, reservoirs):
    table = screen(lifepo, ROWS, COLUMNS, reservoirs)
    for i, row in enumerate(ROWS):
        for j, column in enumerate(COLUMNS):
            if row == column:
                assert table.reaction_energies[i, j] == 0.0
                continue
            one = react(lifepo, row, column, reservoirs)
            total, mutual = one.reaction_energy_ev_atom.value, one.mutual_reaction_energy_ev_atom.value
            assert table.reaction_energies[i, j] == pytest.approx(total, abs=1e-10)
            assert table.mutual_reaction_energies[i, j] == pytest.approx(mutual, abs=1e-10)
            if one.mixing_fraction is not None:
                assert table.mixing_fractions[i, j] == pytest.approx(one.mixing_fraction, abs=1e-7)
    assert table.without_entry == ("Li5P3O10",)


def test_a_table_turned_is_the_same(lifepo):
    one, other = screen(lifepo, ROWS, COLUMNS), screen(lifepo, COLUMNS, ROWS)
    np.testing.assert_allclose(one.reaction_energies, other.reaction_energies.T, atol=1e-12)


def test_li3po4_is_the_buffer_between_li2o_and_fepo4(lifepo):
    buffers = find_buffers(lifepo, "Li2O", "FePO4")
    assert buffers[0].formula == "Li3PO4"
    bare = react(lifepo, "Li2O", "FePO4").reaction_energy_ev_atom.value
    assert all(buffer.worst_ev_atom > bare for buffer in buffers)
    assert find_buffers(lifepo, "Li2O", "FePO4", ["Li2O"]) == []
    coated = screen_coatings(lifepo, ["Li2O"], ["FePO4"], ["Li3PO4", "LiPO3"])
    assert [each.formula for each in coated.buffers["Li2O", "FePO4"]] == ["Li3PO4"]
    assert coated.to_dict()["table"][0]["coatings"]


def test_an_empty_or_unknown_side_is_refused(lifepo):
    with pytest.raises(InputError, match="empty side"):
        screen(lifepo, [], COLUMNS)
    with pytest.raises(InputError, match="no entry holds Cl"):
        screen(lifepo, ["LiCl"], COLUMNS)


def test_tables_and_pictures_show_every_pair(lifepo):
    table = screen(lifepo, ROWS, COLUMNS)
    assert table.to_csv().splitlines()[0] == "meV/atom,FePO4,Fe2O3,Li3P,LiPO3"
    axes = plot_screening(table).axes[0]
    assert len(axes.texts) == len(ROWS) * len(COLUMNS)
    assert [label.get_text() for label in axes.get_yticklabels()] == ROWS
    reaction = plot_reaction(react(lifepo, "Li2O", "FePO4")).axes[0]
    assert reaction.lines[0].get_ydata().min() == pytest.approx(-287.9, abs=0.5)
    assert "4.21 V" in [text.get_text() for text in plot_stability(phase_stability(lifepo, "Li3PO4")).axes[0].texts]
