"""The signed documents and what they may contain: patches, recipes, expressions, versions, templates."""
