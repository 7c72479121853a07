"""Smaller updates: which bytes of a former payload a new one is made of, and pieces coded by them."""
