"""The daemon itself: its parts are built here, wired here, and run here."""
