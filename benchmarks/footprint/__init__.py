"""What a life leaves behind: bytes in databases, logs and topics, statements, and memory at rest."""
