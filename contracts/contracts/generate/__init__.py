"""The published documents: JSON Schema per event, AsyncAPI, OpenAPI per service, and tables for people.

``python -m contracts.generate`` writes them, ``--check`` names those that differ from the types, or that
break what was published, and exits 1. ``--publish RELEASE`` keeps today's schemas and examples for ever.
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
SCHEMAS: Final = ROOT / "contracts" / "schemas"
EXAMPLES: Final = ROOT / "contracts" / "examples"
REFERENCE: Final = ROOT / "docs" / "reference"
PUBLISHED: Final = ROOT / "contracts" / "published"
