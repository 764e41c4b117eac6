"""Journeys on systems of their own, one for each module. They come first: the shared one does not run yet."""
