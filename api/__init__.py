"""How LenKG is served over HTTP. Knows HTTP and holds no SPARQL text."""
