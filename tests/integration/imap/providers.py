"""Dialogues of well-known mail servers, for the scripted server.

Written by us after what is publicly documented and reported of each; none is a recording. Each tells what makes its
server another one than the rest: what it offers before and after sign-in, how it opens a folder, the form and order of
its FETCH responses, and what it refuses.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.integration.imap.hostile import CAME, HEADER, HostileServer


@dataclass(frozen=True)
class Provider:
    """One kind of server. In `opened` and `fetched` stand the numbers of the folder and of the mail."""

    name: str
    greeting: bytes
    before: bytes
    """Capabilities before sign-in."""
    after: bytes
    """Capabilities after it."""
    opened: bytes
    """Untagged responses to SELECT and EXAMINE: `%(exists)d`, `%(uidnext)d`."""
    fetched: bytes
    """One FETCH response: `%(uid)d`, `%(size)d` bytes of header, `%(header)s`, `%(id)d` for a message ID of its own."""
    came: int = CAME
    """INTERNALDATE of its mails, in milliseconds since 1970."""
    wants_id: bool = False
    """Whether a folder is refused to those who have not said who they are (RFC 2971)."""

    def offers(self, name: str) -> bool:
        return name.encode() in self.after.split()


_PLAIN = (
    b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* %(exists)d EXISTS\r\n* 0 RECENT\r\n"
    b"* OK [UIDVALIDITY 7] UIDs valid\r\n"
)
_NEXT = b"* OK [UIDNEXT %(uidnext)d] Predicted next UID\r\n"
_BODY = b"BODY[HEADER]<0> {%(size)d}\r\n%(header)s"
_DATE = b'INTERNALDATE "17-Jul-2026 02:44:25 +0000"'

MICROSOFT = Provider(
    "microsoft365",
    b"* OK The Microsoft Exchange IMAP4 service is ready. [RgBSADAAUAAyADgAMQA=]",
    b"IMAP4 IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
    b"IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CLIENTACCESSRULES "
    b"CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE NAMESPACE LITERAL+",
    b"* %(exists)d EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $MDNSent)\r\n"
    b"* OK [UNSEEN 1] Is the first unseen message\r\n* OK [UIDVALIDITY 7] UIDVALIDITY value\r\n"
    b"* OK [UIDNEXT %(uidnext)d] The next unique identifier value\r\n",
    # The day of INTERNALDATE has a blank in the place of its first digit; the size is an estimate.
    b'* %(uid)d FETCH (UID %(uid)d RFC822.SIZE 501 INTERNALDATE " 7-Jul-2026 02:44:25 +0000" '
    + _BODY
    + b")\r\n",
    came=1_783_392_265_000,
)
GMAIL = Provider(
    "gmail",
    b"* OK Gimap ready for requests from 192.0.2.1 a1mb1234",
    b"IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2 AUTH=PLAIN "
    b"AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER",
    b"IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE "
    b"CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584",
    b"* FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $NotPhishing $Phishing)\r\n"
    b"* OK [UIDVALIDITY 7] UIDs valid.\r\n* %(exists)d EXISTS\r\n* 0 RECENT\r\n"
    b"* OK [UIDNEXT %(uidnext)d] Predicted next UID.\r\n* OK [HIGHESTMODSEQ 2748]\r\n",
    b"* %(uid)d FETCH (X-GM-MSGID %(id)d UID %(uid)d RFC822.SIZE 500 " + _DATE + b" " + _BODY + b")\r\n",
)
DOVECOT = Provider(
    "dovecot",
    b"* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN] Dovecot ready.",
    b"IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN",
    b"IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT MULTIAPPEND UNSELECT CHILDREN NAMESPACE UIDPLUS "
    b"LIST-EXTENDED CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN LIST-STATUS BINARY MOVE LITERAL+ COMPRESS=DEFLATE",
    _PLAIN + _NEXT + b"* OK [HIGHESTMODSEQ 4] Highest\r\n",
    b"* %(uid)d FETCH (UID %(uid)d RFC822.SIZE 500 " + _DATE + b" " + _BODY + b")\r\n",
)
CYRUS = Provider(
    "cyrus",
    b"* OK [CAPABILITY IMAP4rev1 LITERAL+ ID ENABLE AUTH=PLAIN SASL-IR] mail.example.org Cyrus IMAP 3.8 server ready",
    b"IMAP4rev1 LITERAL+ ID ENABLE AUTH=PLAIN SASL-IR",
    b"IMAP4rev1 LITERAL+ ID ENABLE ACL QUOTA NAMESPACE UIDPLUS UNSELECT CHILDREN MULTIAPPEND CONDSTORE QRESYNC ESEARCH "
    b"MOVE LIST-EXTENDED METADATA IDLE COMPRESS=DEFLATE OBJECTID PREVIEW",
    _PLAIN
    + _NEXT
    + b"* OK [HIGHESTMODSEQ 9] Ok\r\n* OK [URLMECH INTERNAL] Ok\r\n* OK [ANNOTATIONS 65536] Ok\r\n",
    # The items come in an order of its own.
    b"* %(uid)d FETCH (" + _DATE + b" RFC822.SIZE 500 UID %(uid)d " + _BODY + b")\r\n",
)
ICLOUD = Provider(
    "icloud",
    b"* OK [CAPABILITY XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN] (2109B29-d3af) pv33.example",
    b"XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN",
    b"XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 CONDSTORE ENABLE QRESYNC QUOTA NAMESPACE UIDPLUS CHILDREN BINARY UNSELECT SORT "
    b"CATENATE URLAUTH LANGUAGE ESEARCH ESORT CONTEXT=SEARCH WITHIN SASL-IR SEARCHRES METADATA ID XUM1 IDLE",
    _PLAIN + _NEXT + b"* OK [HIGHESTMODSEQ 77]\r\n",
    b"* %(uid)d FETCH (UID %(uid)d " + _DATE + b" RFC822.SIZE 500 " + _BODY + b")\r\n",
)
YAHOO = Provider(
    "yahoo",
    b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE] Hello imap.example",
    b"IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE NAMESPACE UIDPLUS LITERAL+ CHILDREN",
    b"IMAP4rev1 ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN UNSELECT X-MSG-EXT OBJECTID IDLE ENABLE "
    b"UIDONLY X-ALL-MAIL LIST-EXTENDED LIST-STATUS SPECIAL-USE PARTIAL APPENDLIMIT=41697280",
    _PLAIN + _NEXT + b"* OK [HIGHESTMODSEQ 88]\r\n* OK [MAILBOXID (1)] Ok\r\n",
    # Flags that nobody asked for come in a response of their own, before the one that was asked for.
    b"* %(uid)d FETCH (FLAGS (\\Seen) UID %(uid)d)\r\n"
    b"* %(uid)d FETCH (UID %(uid)d RFC822.SIZE 500 " + _DATE + b" " + _BODY + b")\r\n",
)
NETEASE = Provider(
    "163.com",
    b"* OK Coremail System IMap Server Ready(163com[10774b260cc7a37d26d71b52404dcf5c])",
    b"IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ STARTTLS APPENDLIMIT=71680000 UIDPLUS X-CM-EXT-1 SASL-IR",
    b"IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ STARTTLS APPENDLIMIT=71680000 UIDPLUS X-CM-EXT-1 SASL-IR",
    b"* %(exists)d EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] UIDs valid\r\n"
    b"* FLAGS (\\Answered \\Seen \\Deleted \\Draft \\Flagged)\r\n* OK [UIDNEXT %(uidnext)d] Ok\r\n",
    b"* %(uid)d FETCH (UID %(uid)d RFC822.SIZE 500 " + _DATE + b" " + _BODY + b")\r\n",
    wants_id=True,
)
COURIER = Provider(
    "courier",
    b"* OK [CAPABILITY IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=REFERENCES SORT QUOTA IDLE ACL ACL2=UNION] "
    b"Courier-IMAP ready. See COPYING for distribution information.",
    b"IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=REFERENCES SORT QUOTA IDLE ACL ACL2=UNION",
    b"IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=REFERENCES SORT QUOTA IDLE ACL ACL2=UNION",
    # It does not tell UIDNEXT when a folder is opened; STATUS does.
    _PLAIN + b'* OK [MYRIGHTS "acdilrsw"] ACL\r\n',
    b"* %(uid)d FETCH (UID %(uid)d RFC822.SIZE 500 " + _DATE + b" " + _BODY + b")\r\n",
)
ALL = (MICROSOFT, GMAIL, DOVECOT, CYRUS, ICLOUD, YAHOO, NETEASE, COURIER)


def play(provider: Provider, server: HostileServer) -> None:
    """Let the scripted server speak as this one does."""
    server.greeting = provider.greeting
    signed_in = introduced = False

    def sign_in(_: bytes) -> bytes:
        nonlocal signed_in
        signed_in = True
        server.sign_ins += 1
        return b"TAG OK done\r\n"

    def introduce(_: bytes) -> bytes:
        nonlocal introduced
        introduced = True
        return b'* ID ("name" "%s")\r\nTAG OK ID completed\r\n' % provider.name.encode()

    def capability(_: bytes) -> bytes:
        return b"* CAPABILITY " + (provider.after if signed_in else provider.before) + b"\r\nTAG OK done\r\n"

    def opening(words: bytes) -> Callable[[bytes], bytes]:
        def opened(_: bytes) -> bytes:
            if provider.wants_id and not introduced:
                return b"TAG NO SELECT Unsafe Login. Please contact kefu@188.com for help\r\n"
            numbers = {b"exists": len(server.uids), b"uidnext": server.uidnext}
            return provider.opened % numbers + b"TAG OK [" + words + b"] done\r\n"

        return opened

    def removed(rest: bytes) -> bytes:
        server.uids = [uid for uid in server.uids if uid not in server._in(rest.split()[2].decode())]
        return b"TAG OK done\r\n"

    def search(rest: bytes) -> bytes:
        found = b",".join(b"%d" % uid for uid in server._in(rest.split()[-1].decode()))
        return b'* ESEARCH (TAG "TAG") UID' + (b" ALL " + found if found else b"") + b"\r\nTAG OK done\r\n"

    server.override |= {
        "LOGIN": sign_in, "AUTHENTICATE": sign_in, "ID": introduce, "CAPABILITY": capability,
        "EXAMINE": opening(b"READ-ONLY"), "SELECT": opening(b"READ-WRITE"),
        "UID EXPUNGE": removed, "UID MOVE": removed,
    }  # fmt: skip
    if provider.offers("ESEARCH"):
        server.override["UID SEARCH"] = search
    server.fetched = lambda uid: fetched(provider, uid)


def fetched(provider: Provider, uid: int, header: bytes | None = None) -> bytes:
    """The provider's answer for one mail."""
    header = HEADER % (uid, uid) if header is None else header
    return provider.fetched % {
        b"uid": uid, b"size": len(header), b"header": header, b"id": 1_278_455_344_230_334_865 + uid,
    }  # fmt: skip
