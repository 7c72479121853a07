"""PCs become known: tokens, certificates, and which of them are denied."""
