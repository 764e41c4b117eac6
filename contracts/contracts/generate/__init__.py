"""The published documents, derived from the types: JSON Schema per event, AsyncAPI, and a table for people.

``python -m contracts.generate`` writes them, ``--check`` names those that differ from the types and exits 1.
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
SCHEMAS: Final = ROOT / "contracts" / "schemas"
EXAMPLES: Final = ROOT / "contracts" / "examples"
REFERENCE: Final = ROOT / "docs" / "reference"
