"""For operators: status page, metrics, health."""
