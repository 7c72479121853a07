"""Who this PC is for the company: enrolment, its key and its two certificates."""
