"""What operators do to the fleet, and what they ask of it: operations with an actor, and queries."""
