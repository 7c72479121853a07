"""Signed documents and what they may say: patches, recipes, expressions, versions, templates."""
