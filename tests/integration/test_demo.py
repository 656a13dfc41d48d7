import asyncio
import os
import sys


async def test_the_demo_plays_and_its_account_adds_up() -> None:
    """Without a terminal it prints plain lines: every kind of outcome is seen, the sums agree, exit code 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", "demo", "--seconds", "4",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = out.decode().splitlines()
    assert process.returncode == 0, lines[-10:]
    assert lines[-1] == "it adds up"
    for word in (
        "created",
        "updated",
        "filtered",
        "the ACD fails",
        "the ACD is back",
        " ms",
        "1 forged webhook",
    ):
        assert any(word in line for line in lines), word
    assert "\x1b" not in out.decode()
