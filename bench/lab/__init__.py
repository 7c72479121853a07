"""The lab: head office, branches and lines between them in network namespaces, with real daemons and traffic."""
