"""`make deb` and `make release`: a wheel, two Debian packages, bills of materials and checksums, the same each time."""
