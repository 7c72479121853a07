"""What the next version of a patch costs a branch line where PCs have the former one, for pairs of real packages."""
