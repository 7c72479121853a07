"""The limiter: a pure library. No clock, no socket, no thread; `now` is passed in."""
