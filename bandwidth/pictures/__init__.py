"""Charts as SVG, PNG and in a terminal."""
