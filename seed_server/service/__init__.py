"""The running server: the origin part, the web part, and the process that keeps both running."""
