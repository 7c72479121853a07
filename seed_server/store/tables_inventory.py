"""The tables of what PCs are and have: facts of each, and who has which version of which package. Pure.

A package with a version exists once, whatever the number of PCs that have it. Who has it is a set of bits for every
`BLOCK_PCS` PCs: a fleet's PCs have much in common, so that a bit in a set takes a twentieth of a row (ADR 0068).
"""

from sqlalchemy import Column, PrimaryKeyConstraint, UniqueConstraint

from seed_server.store.columns import BIG, code, count, flag, large_count, octets, of, seconds, table, words

BLOCK_PCS = 512  # of one set: what a PC tells changes a stretch of rows that are beside each other
ECOSYSTEM_CODES = ("deb", "rpm", "windows", "generic")  # a row keeps the place in this list: append only

INVENTORIES = table(
    "inventories",
    seconds("told_at"),
    of("endpoint", "endpoints"),
    count("packages"),  # how many it has
    flag("all_packages"),  # what is not there is known not to be installed
    octets("digest"),
    octets("facts"),  # as JSON, some 250 bytes: a question reads those of all PCs in one go
    PrimaryKeyConstraint("endpoint"),
)

SOFTWARE = table(
    "software",
    Column("number", BIG, primary_key=True),  # wide: PCs can make up as many as they like
    code("ecosystem"),
    words("name"),
    words("version"),
    UniqueConstraint("name", "ecosystem", "version"),
    rowid=True,
)

# no foreign key: of which packages nobody has, is found out for all of them at once
SOFTWARE_HOLDERS = table(
    "software_holders",
    large_count("software"),
    count("block"),  # the number of the PC in `endpoints`, divided by BLOCK_PCS
    octets("pcs"),  # a bit for each, the first one lowest; without the zeros at the end
    PrimaryKeyConstraint("block", "software"),
)
