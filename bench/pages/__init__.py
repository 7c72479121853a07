"""How long the pages take in a large company, and what they weigh."""
