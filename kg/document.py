"""The ontology -> one page to browse, made by Ontospy: no script, nothing from elsewhere."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pyoxigraph as ox
import rdflib
from ontospy import Ontospy
from ontospy.gendocs.viz.viz_html_single import HTMLVisualizer

from kg.terms import RDFS, graph, prefixes

DATE = re.compile(r" on \w{3}, \d{2} \w{3} \d{4} [\d:]{8}")


def document(quads: Iterable[ox.Quad]) -> str:
    """The terms of the ontology as HTML, in the tree of classes that the reasoner found.

    The same ontology gives the same page, whenever it is made.
    """
    subclass = ox.NamedNode(RDFS + "subClassOf")
    triples = [
        ox.Triple(q.subject, q.predicate, q.object)
        for q in quads
        if q.graph_name == graph("ontology")
        or (q.graph_name == graph("inferred") and q.predicate == subclass)
    ]
    data = rdflib.Graph()
    for name, address in prefixes().items():
        data.bind(name, address)
    data.parse(data="".join(f"{triple} .\n" for triple in triples), format="nt")
    model = Ontospy(graph_obj=data, hide_individuals=False, pref_title="label")
    visualiser = HTMLVisualizer(model, title="LenKG ontology")
    quiet = io.StringIO()  # it tells on the terminal where it wrote
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(quiet), redirect_stderr(quiet):
        visualiser.build(folder)
        page = (Path(folder) / visualiser.main_file_name).read_text(encoding="utf-8")
    return DATE.sub("", page)
