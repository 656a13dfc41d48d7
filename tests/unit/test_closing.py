import asyncio

from bridge.closing import Closers


async def test_closers_run_last_in_first_out_and_once() -> None:
    """What was built last is taken down first; closing twice closes nothing twice."""
    closers, closed = Closers(), []

    def closer(name: str) -> None:
        async def close() -> None:
            closed.append(name)

        closers.add(name, close)

    for name in "abc":
        closer(name)
    await closers.close(1)
    await closers.close(1)
    assert closed == ["c", "b", "a"]


async def test_one_that_fails_or_hangs_stops_none_of_the_others() -> None:
    """An exception and a hang in one part leave the others closed."""
    closers, closed = Closers(), []

    async def good() -> None:
        closed.append("good")

    async def failing() -> None:
        raise RuntimeError("broken")

    async def hanging() -> None:
        await asyncio.Event().wait()

    closers.add("good", good)
    closers.add("failing", failing)
    closers.add("hanging", hanging)
    await closers.close(0)
    assert closed == ["good"]
