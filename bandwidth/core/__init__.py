"""The limiter's law: samples and `now` come in, an allowance and a reason come out. Standard library only."""
