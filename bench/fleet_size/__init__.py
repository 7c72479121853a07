"""What a company's size costs one server: scenarios, each a run of its own, and the page that they make together."""
