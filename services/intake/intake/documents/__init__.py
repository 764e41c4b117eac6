"""Evidence: what is uploaded, where it is kept, and what a request may refer to. Bytes never enter an event."""
