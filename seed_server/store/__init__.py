"""What the server keeps: the database, payloads by their content, locks."""
