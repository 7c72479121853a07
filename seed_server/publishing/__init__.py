"""From a file and a recipe to a published patch."""
