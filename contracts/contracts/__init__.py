"""What the services say to each other: topics, events, money and policy documents.

Nothing here acts. A field has a description, never a verb; an example of every event lies beside in
``contracts/examples``, and ``python -m contracts.generate`` derives the published schemas from these types.
"""
