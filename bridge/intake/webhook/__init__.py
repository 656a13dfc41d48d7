"""Helpdesk webhooks become messages.

    server -> hook -> (client, doubted, reading, authentication, rate) -> mapping -> handover

`server` owns the sockets, `hook` the order of checks for one webhook, `preset` and its data files know what
a helpdesk sends, `mapping` makes the message. Signature, mapping, rate and client address are pure.
"""
