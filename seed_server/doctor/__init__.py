"""What is wrong with the server, or with a site, and who can mend it: looks, then judges."""
