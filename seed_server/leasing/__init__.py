"""The ledger: which endpoint of a site gets which piece next, and who is believed."""
