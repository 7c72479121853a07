"""The web port: enrolment, metadata and targets over HTTPS."""
