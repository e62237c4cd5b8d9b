"""From footage to anomaly scores: no HTTP, no database, no learning."""

__version__ = "0.1.0"
