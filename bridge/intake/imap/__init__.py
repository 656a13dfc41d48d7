"""IMAP folders: connect, baseline, windows, IDLE and poll."""
