"""A patch's file on its way: from the first piece to the proven file in its place."""
