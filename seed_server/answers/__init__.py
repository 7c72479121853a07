"""The documents that programs get, of the command line with `--json` and of the API: described in docs/json.md.

Fields may be added, with "Since VERSION." at the end of their text. None may go, and no type may change: scripts
rely on them, and a test holds them to `tests/architecture/json_keys.json`.
"""
