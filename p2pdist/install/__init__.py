"""From a proven file to an installed patch and back: order, time, programs, the journal."""
