"""The replay benchmark: the metrics projection rebuilt from the topics, beside reading and decoding the same topics."""
