"""How well plans foretell what a simulated company does, by laws that the model does not share."""
