"""A PC's identity in the company: enrolment, its key and its two certificates."""
