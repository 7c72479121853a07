"""The signer's machine: what a bundle would have signed, in words and beside the files; then the signature."""
