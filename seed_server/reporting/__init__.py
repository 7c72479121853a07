"""What managers and auditors ask: service levels, who is missing, what a patch did, what comes first and when."""
