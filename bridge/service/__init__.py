"""A well-behaved Linux service: systemd notify, watchdog, logging, signals."""
