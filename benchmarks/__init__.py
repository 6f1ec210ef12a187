"""How fast, how small: the whole path from a synthetic Prometheus into each storage, and reports on a filled ledger."""
