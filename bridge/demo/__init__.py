"""`acd-bridge demo`: a mail server, a helpdesk, the bridge and an ACD in one process, and what happens there."""
