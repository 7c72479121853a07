"""The entry of a part's process: see `part`."""

from seed_server.service.part import main

main()
