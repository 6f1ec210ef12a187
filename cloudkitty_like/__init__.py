"""Rating for clouds: exact, explainable prices of what was used."""

__version__ = "0.1.0"
