"""Pure rules of the projection: no database, no clock. Each fact changes one row; each figure is a sum over rows."""
