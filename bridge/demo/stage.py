"""The demo's stage: the ACD simulator, a mail server with a filled inbox, and the bridge between them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.acd.simulator.server import Simulator
from bridge.acd.simulator.settings import Settings
from bridge.app import Application
from bridge.config.model import Config
from bridge.demo.actors import SECRET, Customers
from bridge.demo.story import OLD_MAILS, Mail
from bridge.routing.compile import compile_routes
from bridge.testing.mail_server import PASSWORD, MailServer

TOKEN = "demo"  # noqa: S105 - the token of a simulator in this process
USER = "support"


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    acd: Simulator
    mail: MailServer
    bridge: Application
    state_path: Path
    hook_url: str


@asynccontextmanager
async def staged(folder: Path, customers: Customers) -> AsyncIterator[Stage]:
    """Start everything on ports of loopback, with the state file in this folder; take it down afterwards."""
    async with AsyncExitStack() as stack:
        acd = await Simulator.start(Settings(token=TOKEN))
        stack.push_async_callback(acd.close)
        mail = await MailServer.start([USER])
        stack.push_async_callback(mail.close)
        for number in range(OLD_MAILS):
            await mail.deliver(USER, customers.write(Mail(f"old{number}@customer.example", "An old mail"))[1])
        config = _config(folder, acd.url, mail.port)
        router, _ = compile_routes(config.route, zone=config.acd.zone())
        bridge = await Application.start(config, router)
        stack.push_async_callback(bridge.stop)
        if bridge.parts.webhooks is None:
            raise RuntimeError("the demo's bridge has no webhook listener")
        hook_url = f"http://127.0.0.1:{bridge.parts.webhooks.port}/hooks/helpdesk"
        yield Stage(acd, mail, bridge, config.state.path, hook_url)


def _config(folder: Path, acd_url: str, imap_port: int) -> Config:
    """What the operator would have written into bridge.toml."""
    return Config.model_validate(
        {
            "acd": {
                "url": acd_url,
                "clients_id": 1,
                "token": TOKEN,
                "retry_first": 0.3,
                "retry_cap": 1.0,
            },
            "state": {"path": str(folder / "state.db")},
            "mailbox": [
                {
                    "name": "support",
                    "host": "127.0.0.1",
                    "port": imap_port,
                    "security": "none",
                    "username": USER,
                    "password": PASSWORD,
                    # pymap does not tell of a mail that came between EXAMINE and IDLE; the poll finds it.
                    "poll": 1,
                }
            ],
            "webhook": [{"name": "helpdesk", "preset": "generic", "secrets": [SECRET]}],
            "listen": {"webhooks": "127.0.0.1:0"},
            "route": [
                {
                    "name": "tickets",
                    "when": "kind == 'ticket'",
                    "event": {"type": "Ticket", "group": "Billing"},
                },
                {"name": "automatic mail", "when": "auto", "drop": True},
                {
                    "name": "urgent mail",
                    "when": "priority == 'high'",
                    "event": {"type": "Email", "group": "Support 2nd level", "priority": 150},
                },
                {"name": "everything else", "event": {"type": "Email", "group": "Support"}},
            ],
        }
    )
