"""The outbox: order, pace, retry decisions as values, and what each answer means for an item."""
