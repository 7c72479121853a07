"""How fast a site's line is sent to, and why: samples, the law's settings, the socket's options."""
