"""The scale benchmark: two processes of each service beside one, and what happens when the second ones join."""
