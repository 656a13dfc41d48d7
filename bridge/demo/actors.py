"""Who acts in the demo: customers who write mail, and a helpdesk that signs its webhooks."""

import base64
import hashlib
import hmac
import time
from email import policy
from email.message import EmailMessage
from email.utils import formatdate
from itertools import count

import aiohttp
import orjson

from bridge.demo.story import Mail, Ticket

SECRET = "whsec_" + base64.b64encode(b"the helpdesk of the demo").decode()
INBOX_ADDRESS = "support@shop.example"


class Customers:
    """Write mails, each with a Message-ID by which it is found again."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def write(self, mail: Mail) -> tuple[str, bytes]:
        """The mail's Message-ID and its bytes (RFC 5322)."""
        message = EmailMessage()
        message_id = f"<{next(self._numbers)}@customer.example>"
        if mail.sender:
            message["From"] = mail.sender
        message["To"] = INBOX_ADDRESS
        message["Subject"] = mail.subject
        message["Date"] = formatdate()
        message["Message-ID"] = message_id
        for name, value in mail.headers:
            message[name] = value
        message.set_content("Dear team,\n\nplease have a look at this.\n")
        return message_id, message.as_bytes(policy=policy.SMTPUTF8)


class Helpdesk:
    """Posts webhooks as Standard Webhooks 1.0.0 wants them signed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = count(1)

    async def post(self, session: aiohttp.ClientSession, ticket: Ticket) -> tuple[str, int]:
        """The delivery's ID and the status that it was answered with."""
        delivery = f"msg_{next(self._numbers)}"
        body = orjson.dumps(
            {
                "type": ticket.event,
                "data": {
                    "id": ticket.number,
                    "number": ticket.number,
                    "subject": ticket.subject,
                    "requestor_email": ticket.sender,
                    "group": "Helpdesk",
                    "url": f"https://helpdesk.example/tickets/{ticket.number}",
                },
            }
        )
        headers = _signed(delivery, body, forged=ticket.forged)
        async with session.post(self._url, data=body, headers=headers) as answer:
            return delivery, answer.status


def _signed(delivery: str, body: bytes, *, forged: bool) -> dict[str, str]:
    moment = str(int(time.time()))
    key = b"somebody else" if forged else base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, b".".join((delivery.encode(), moment.encode(), body)), hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": delivery,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
