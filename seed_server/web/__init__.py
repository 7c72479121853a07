"""HTTPS: the web port for PCs, the API for programs, the pages for people."""
