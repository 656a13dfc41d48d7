"""Routes: the first that matches makes the AcdEvent, and can say why."""
