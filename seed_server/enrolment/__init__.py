"""PCs become known: tokens, certificates, who is denied."""
