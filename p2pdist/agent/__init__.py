"""The session agent: tells the user at the screen what will disturb, before it does."""
