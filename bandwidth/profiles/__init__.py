"""Throttle profiles: what a network admin allows patches on each site's line and LAN, by the site's own clock."""
