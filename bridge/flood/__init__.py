"""Floods: bursts and mail loops. Decisions as values, and the bounded memory that they are made from."""
