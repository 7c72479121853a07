"""The other PCs of the site: who they are, and who is connected to whom."""
