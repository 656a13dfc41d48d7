"""What people write today: fetch each mail, post it, go on. The bridge is measured beside it."""

import email
import email.header
import imaplib
import sys
from email.utils import parseaddr

import requests


def main(port: str, url: str, token: str) -> None:
    mailbox = imaplib.IMAP4("127.0.0.1", int(port))
    mailbox.login("script", "secret")
    mailbox.select("INBOX")
    _, found = mailbox.search(None, "ALL")
    for number in found[0].split():
        _, data = mailbox.fetch(number, "(BODY.PEEK[])")
        message = email.message_from_bytes(data[0][1])
        subject = str(email.header.make_header(email.header.decode_header(message["Subject"])))
        event = {
            "AcdEventTypesID": 5,
            "AcdGroupsID": 101,
            "Sender": parseaddr(message["From"])[1],
            "Receiver": parseaddr(message["To"])[1],
            "Subject": subject,
        }
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(
            f"{url}/rest/v1.0/1/acd/events/create", json=event, headers=headers, timeout=30
        )
        answer.raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
