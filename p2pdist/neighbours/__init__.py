"""The other PCs of the site: which there are, and the connections to them."""
