"""What the page says: the answer first and whole, escaped, readable without plots."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.report import page_html, read_campaign, write_report
from mlip_sse.report.answer_figures import ArrheniusPoints, arrhenius_plot
from mlip_sse.report.cell_figure import cell_plot
from mlip_sse.report.figure import embedded_json
from mlip_sse.report.markup import Markup, tag
from mlip_sse.report.production import Cell, Density, Production, read_production
from mlip_sse.report.untrusted import interval
from mlip_sse.report.written import bounds_text, value_text, written
from tests.report.sample_campaign import TEMPERATURES_K, diffusivity

VOID = {"meta", "br", "hr"}


class Outline(HTMLParser):
    """Checks that elements close in order, and gathers ids, headings and the text that is read."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.headings, self.words, self.attributes = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, *pair) for pair in attributes]
        self.ids += [value for key, value in attributes if key == "id"]
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def outline(page):
    found = Outline()
    found.feed(page)
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def pages(samples):
    records = {name: read_campaign(folder) for name, folder in samples.items()}
    return {name: page_html(record, read_production(record)) for name, record in records.items()}


# What it says


def test_the_answer_comes_first_with_interval_and_verdict(pages):
    found = outline(pages["resolved"]).text
    assert found.index("The answer") < found.index("Transport over temperature")
    assert "li6ps5cl_disordered resolved" in found
    assert "0.280 eV 95 % interval 0.250–0.310" in found
    assert "surrogate" in found


@pytest.mark.parametrize(
    ("kind", "said"), [("chgnet", "come from a surrogate"), ("ase", "only who chose it can say"), ("vasp", None)]
)
def test_what_made_the_labels_is_said(campaign, kind, said):
    spec = campaign / "spec.yaml"
    spec.write_text(spec.read_text().replace("kind: chgnet", f"kind: {kind}"))
    (campaign / "potential" / "card.json").unlink()
    found = outline(page_html(read_campaign(campaign), Production())).text
    assert ("The labels come from" in found) == (said is not None)
    assert said is None or said in found


def test_an_unresolved_answer_says_why_and_what_would_help(pages):
    found = outline(pages["not-resolved"]).text
    assert "not resolved" in found
    assert "known to a factor 8, expected 3" in found
    assert "350 ps instead of 40 ps" in found
    assert "does not agree" in found
    assert "only beyond a factor 2.1" in found
    assert "Li-S 0.090 0.030 beyond" in found
    assert "Li-S: the first peaks are 0.090 Å apart" in found


def test_the_pressure_of_the_potential_stands_beside_the_references(pages):
    assert "the potential's pressure is +0.12 GPa off the reference's" in outline(pages["resolved"]).text


def test_a_campaign_without_a_teacher_says_so(pages):
    assert "No dynamics with the reference itself was run" in outline(pages["no-teacher"]).text


def test_an_unfinished_campaign_says_what_is_known(pages):
    found = outline(pages["unfinished"]).text
    assert "not finished" in found
    assert "Round 3 (labelling)" in found
    assert "There is no answer yet" in found
    assert "force error: found 12 %" in found


def test_error_sources_stand_apart(pages):
    found = outline(pages["resolved"]).text
    assert "statistics seeds committee" in found
    assert "17.0 % 5.0 % 7.0 %" in found


def test_every_file_is_named_from_the_campaigns_folder(pages, samples):
    found = outline(pages["resolved"]).text
    for path in ("rounds/005.json", "potential/card.json", "trajectories/620K_0.lammpstrj", "spec.yaml"):
        assert path in found
    assert str(samples["resolved"]) not in pages["resolved"]


def test_the_same_folder_gives_the_same_page_but_for_its_time(samples):
    record = read_campaign(samples["resolved"])
    first, second = (
        re.sub(r"page written [\d :-]+UTC", "", page_html(record, read_production(record))) for _ in range(2)
    )
    assert first == second


# How it is made


@pytest.mark.parametrize("name", ["resolved", "not-resolved", "no-teacher", "unfinished", "seeds-only"])
def test_the_document_is_sound(pages, name):
    found = outline(pages[name])
    assert len(found.ids) == len(set(found.ids))
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found.headings, found.headings[1:], strict=False))
    plots = [value for element, key, value in found.attributes if key == "aria-label" and element == "div"]
    assert plots
    assert all(len(words) > 20 for words in plots)
    links = [value for _, key, value in found.attributes if key in ("href", "src", "action")]
    assert all(link.startswith(("#", "./")) for link in links)


def test_plotly_stands_in_the_page_once(pages):
    from plotly.offline import get_plotlyjs

    assert pages["resolved"].count(get_plotlyjs()[:2000]) == 1


def test_plain_strings_are_escaped_and_markup_is_not():
    assert tag("p", "<b>", Markup("<i></i>"), title='"<') == '<p title="&quot;&lt;">&lt;b&gt;<i></i></p>'


@pytest.mark.parametrize("evil", ["</script>", "<!--<script>", "]]>", "\u2028", "&lt;", "\ud800"])
def test_json_in_the_page_holds_no_markup_and_comes_back_whole(evil):
    found = embedded_json({"x": [evil, float("nan")]})
    assert not set("<>&\u2028") & set(found)
    assert json.loads(found) == {"x": [evil, None]}


def test_a_page_beside_the_folder_has_no_links_into_it(campaign, tmp_path):
    beside = write_report(campaign, tmp_path / "page.html").read_text()
    within = write_report(campaign).read_text()
    assert 'href="./spec.yaml"' in within
    assert 'href="./spec.yaml"' not in beside
    assert "spec.yaml" in beside


@pytest.mark.parametrize("out", ["", "not/there/page.html"])
def test_a_place_that_cannot_be_written_is_refused(campaign, tmp_path, out):
    with pytest.raises(InputError, match="expected the name of a file"):
        write_report(campaign, tmp_path / out)


# Numbers


def test_powers_of_ten_are_raised():
    found = interval({"value": 8.9e-8, "low": 5e-8, "high": 1.5e-7, "confidence": 0.95})
    assert written(found) == "8.90×10⁻⁸ (5.00–15.00)"
    assert value_text(found) == "8.90×10⁻⁸"
    assert bounds_text(found) == "5.00–15.00 ×10⁻⁸"
    assert written(interval({"value": None, "high": 2e-9})) == "< 2.00×10⁻⁹"


def spread(value, factor):
    return interval({"value": value, "low": value / factor, "high": value * factor, "confidence": 0.95})


def test_line_and_band_pass_through_what_is_stated():
    points = [spread(diffusivity(kelvin), 1.3) for kelvin in TEMPERATURES_K]
    energy = interval({"value": 0.28, "low": 0.25, "high": 0.31, "confidence": 0.95})
    at_300k = spread(diffusivity(300.0), 2.5)
    figure = arrhenius_plot(ArrheniusPoints(TEMPERATURES_K, points, at_300k, energy), conductivity=False)
    low, high, line = figure.data[:3]
    assert line["x"][-1] == pytest.approx(1000 / 300)
    assert line["y"][-1] == pytest.approx(at_300k.value)
    assert low["y"][-1] == pytest.approx(at_300k.low)
    assert high["y"][-1] == pytest.approx(at_300k.high)
    np.testing.assert_allclose(line["y"][0], diffusivity(620.0), rtol=1e-6)
    assert (high["y"] / low["y"])[0] < (high["y"] / low["y"])[-1]


def test_a_limit_is_drawn_as_a_limit():
    limit = interval({"value": None, "high": 1e-8})
    figure = arrhenius_plot(ArrheniusPoints([300.0], [limit], None, None), conductivity=False)
    assert figure.data[0]["marker"]["symbol"] == ["triangle-down-open"]
    assert figure.data[0]["y"][0] == 1e-8


# The cell


def test_the_density_holds_all_ions_where_they_are(samples):
    record = read_campaign(samples["resolved"])
    production = read_production(record)
    density = production.density
    volume = abs(np.linalg.det(production.cell.vectors)) / density.values.size
    assert density.values.sum() * volume == pytest.approx(24, rel=1e-6)  # lithium ions of the sample
    assert [line.temperature_k for line in production.lines] == list(TEMPERATURES_K)
    assert density.temperature_k == 620.0


def test_surfaces_of_a_skewed_cell_lie_in_it():
    """The density of one ion at (1/4, 1/2, 3/4): the sampled values peak there, and are zero outside of the cell."""
    import base64

    vectors = np.array([[8.0, 0, 0], [3.0, 7.0, 0], [1.0, -2.0, 9.0]])
    values = np.zeros((16, 16, 16))
    values[4, 8, 12] = 1.0
    cell = Cell(("Li", "S"), vectors, np.array([[0.1, 0.1, 0.1], [4, 2, 1]]), "a test")
    figure = cell_plot(cell, Density(values, 600.0, 1), "Li")
    surface = next(trace for trace in figure.data if trace["type"] == "isosurface")
    x, y, z, value = (np.frombuffer(base64.b64decode(surface[key]["bdata"]), "<f4") for key in ("x", "y", "z", "value"))
    points = np.stack([x, y, z], axis=1)
    expected = (np.array([4.5, 8.5, 12.5]) / 16) @ vectors
    assert np.linalg.norm(points[value.argmax()] - expected) < 0.5
    fractions = points @ np.linalg.inv(vectors)
    outside = ((fractions < -1e-4) | (fractions > 1 + 1e-4)).any(axis=1)
    assert outside.any()
    assert (value[outside] == 0).all()


def test_a_page_without_a_cell_has_no_view_of_it(samples):
    record = read_campaign(samples["seeds-only"])
    assert 'id="cell"' not in page_html(record, Production())
