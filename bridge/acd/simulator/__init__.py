"""The simulator: the ACD's API as a server, for trying, testing and showing the bridge without an ACD.

It is written from the API's documentation and shares no code with the client, so that one finds the other's
mistakes. It is a fake: what it does where the documentation is silent is said in docs/acd.md.
"""

from bridge.acd.simulator.faults import Fault, Kind, Stage
from bridge.acd.simulator.server import Simulator
from bridge.acd.simulator.settings import Settings

__all__ = ["Fault", "Kind", "Settings", "Simulator", "Stage"]
