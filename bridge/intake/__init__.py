"""Where messages come in: the words of mail, the IMAP folders, the webhooks. Knows no routes and no ACD."""
