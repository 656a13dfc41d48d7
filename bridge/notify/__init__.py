"""Notices: tells a helpdesk over a signed webhook how the event of an item ended in the ACD."""
