"""LenKG: the Lenalidomide Evidence Knowledge Graph.

>>> import kg
>>> for row in kg.open().ask("improved-outcome", outcome="MRD negativity"):  # doctest: +SKIP
...     print(row["regimenName"], row["value"])
"""

from kg.question import Answer, Graph, Question, question, questions
from kg.question import open_graph as open  # noqa: A004 (kg.open reads as it should)

__all__ = ["Answer", "Graph", "Question", "open", "question", "questions"]
