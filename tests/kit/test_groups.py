"""Grouped writes on real PostgreSQL: callers share a transaction, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from kit.database import Database
from kit.errors import OverloadedError, TransientError
from kit.groups import GroupedWriter, Outcome
from kit.idempotency import Answer, Key, request_hash
from kit.outbox import Announcements
from stack.ports import free_ports
from tests.kit.conftest import company, event, eventually


class Enter(msgspec.Struct, frozen=True):
    """A command that enters its name into a table once; the name says how it behaves."""

    name: str
    key: Key | None = None


class Register:
    """Applies groups of commands, and remembers how large the groups were."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def apply(
        self, connection: AsyncConnection, commands: Sequence[Enter], _now: datetime
    ) -> tuple[list[Outcome], Announcements]:
        self.groups.append(len(commands))
        await self.gate.wait()
        said = Announcements()
        outcomes = [await self._enter(connection, command, said) for command in commands]
        return outcomes, said

    async def _enter(self, connection: AsyncConnection, command: Enter, said: Announcements) -> Outcome:
        if command.name.startswith("refused"):
            return Refusal("refused", "不行", "No")
        if command.name.startswith("broken"):
            raise ValueError(command.name)
        value = None if command.name.startswith("invalid") else 1
        insert = text("INSERT INTO tallies (name, scheme, label, value) VALUES ('entry', '', :name, :value)")
        await connection.execute(insert, {"name": command.name, "value": value})
        said.say(event(company(), command.name))
        return Answer(201, command.name.encode(), {"location": f"/{command.name}"})


@asynccontextmanager
async def writing(database: Database, register: Register, **limits: Any) -> AsyncIterator[GroupedWriter[Enter]]:
    writer: GroupedWriter[Enter] = GroupedWriter(database, register.apply, **limits)
    stop = asyncio.Event()
    task = asyncio.create_task(writer.run(stop))
    await asyncio.sleep(0)
    try:
        yield writer
    finally:
        register.gate.set()
        stop.set()
        async with asyncio.timeout(10):
            await task


async def entries(database: Database) -> list[str]:
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT label FROM tallies WHERE name = 'entry' ORDER BY label"))
        return list(rows.scalars())


def key(name: str, body: bytes = b"{}", client: str = "portal") -> Key:
    return Key(client, name, request_hash("POST", "/v1/entries", body))


async def test_commands_that_wait_together_share_a_transaction(database: Database) -> None:
    register = Register()
    async with writing(database, register) as writer:
        answers = await asyncio.gather(*[writer.submit(Enter(f"n{number:02}")) for number in range(30)])
    assert [answer.body.decode() for answer in answers] == [f"n{number:02}" for number in range(30)]
    assert sum(register.groups) == 30
    assert len(register.groups) < 5
    assert len(await entries(database)) == 30


async def test_a_group_is_no_larger_than_its_limit(database: Database) -> None:
    register = Register()
    async with writing(database, register, max_group_size=4) as writer:
        await asyncio.gather(*[writer.submit(Enter(f"n{number}")) for number in range(10)])
    assert max(register.groups) <= 4


async def test_an_answer_comes_after_its_commit(database: Database) -> None:
    async with writing(database, Register()) as writer:
        await writer.submit(Enter("seen"))
        assert await entries(database) == ["seen"]
        async with database.reading() as connection:
            announced = await connection.execute(text("SELECT count(*) FROM outbox"))
            assert announced.scalar_one() == 1


@pytest.mark.parametrize(("name", "error"), [("broken", ValueError), ("invalid", IntegrityError), ("refused", Refusal)])
async def test_a_bad_command_does_not_fail_its_neighbours(
    database: Database, name: str, error: type[Exception]
) -> None:
    async with writing(database, Register()) as writer:
        commands = [Enter("before"), Enter(name), Enter("after")]
        outcomes = await asyncio.gather(*map(writer.submit, commands), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Answer, error, Answer]
    assert await entries(database) == ["after", "before"]


async def test_the_same_key_twice_gives_the_same_answer_and_one_effect(database: Database) -> None:
    command = Enter("once", key("k1"))
    async with writing(database, Register()) as writer:
        together = await asyncio.gather(writer.submit(command), writer.submit(command), writer.submit(command))
        later = await writer.submit(command)
    assert {(answer.status, answer.body, answer.headers["location"]) for answer in [*together, later]} == {
        (201, b"once", "/once")
    }
    assert await entries(database) == ["once"]


async def test_the_same_key_in_two_processes_has_one_effect(database: Database) -> None:
    """Two writers race for one key: the slower one's transaction fails, is tried again, and finds the answer."""
    command = Enter("once", key("k1"))
    slow, fast = Register(), Register()
    slow.gate.clear()
    async with writing(database, slow) as first, writing(database, fast) as second:
        waiting = asyncio.create_task(first.submit(command))
        await eventually(lambda: bool(slow.groups))
        answer = await second.submit(command)
        slow.gate.set()
        assert (await waiting).body == answer.body
    assert await entries(database) == ["once"]


async def test_a_try_that_waited_for_the_first_one_gets_its_answer(database: Database) -> None:
    first, second = Register(), Register()
    key = Key("portal", "tried-twice", request_hash("POST", "/", b""))
    second.gate.clear()
    async with writing(database, first) as writer, writing(database, second) as other:
        late = asyncio.create_task(other.submit(Enter("refused as a repetition", key)))
        await eventually(lambda: second.groups == [1])  # it looked for an answer, and found none
        answer = await writer.submit(Enter("tried", key))
        second.gate.set()

        assert await late == answer


async def test_the_same_key_with_another_body_is_refused(database: Database) -> None:
    async with writing(database, Register()) as writer:
        await writer.submit(Enter("first", key("k1")))
        with pytest.raises(Refusal) as refused:
            await writer.submit(Enter("second", key("k1", b'{"other": 1}')))
        await writer.submit(Enter("third", key("k1", client="somebody-else")))
    assert (refused.value.code, refused.value.status) == ("idempotency_key_reused", 422)
    assert await entries(database) == ["first", "third"]


async def test_a_refusal_is_not_kept_under_its_key(database: Database) -> None:
    """What was refused may be allowed later: the same key asks again."""
    async with writing(database, Register()) as writer:
        with pytest.raises(Refusal, match="refused"):
            await writer.submit(Enter("refused", key("k1")))
        assert (await writer.submit(Enter("allowed", key("k1")))).status == 201


async def test_a_full_queue_says_so_at_once(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register, max_queue_size=3, max_group_size=1) as writer:
        tasks = [asyncio.create_task(writer.submit(Enter(f"n{number}"))) for number in range(3)]
        await eventually(lambda: bool(register.groups))
        tasks.append(asyncio.create_task(writer.submit(Enter("n3"))))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await writer.submit(Enter("too-much"))
        register.gate.set()
        assert len(await asyncio.gather(*tasks)) == 4
    assert "too-much" not in await entries(database)


async def test_a_second_group_begins_while_the_first_is_written_if_it_is_worth_it(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register, max_group_size=8, groups_at_once=2) as writer:
        tasks = [asyncio.create_task(writer.submit(Enter("n0")))]
        await eventually(lambda: register.groups == [1])
        tasks.append(asyncio.create_task(writer.submit(Enter("n1"))))
        await asyncio.sleep(0.1)
        assert register.groups == [1], "one alone can wait for others"
        tasks += [asyncio.create_task(writer.submit(Enter(f"n{number}"))) for number in range(2, 6)]
        await eventually(lambda: register.groups == [1, 5])
        tasks += [asyncio.create_task(writer.submit(Enter(f"n{number}"))) for number in range(6, 9)]
        await asyncio.sleep(0.1)
        assert register.groups == [1, 5], "two at a time"
        register.gate.set()
        await asyncio.gather(*tasks)
    assert len(await entries(database)) == 9


async def test_a_key_is_in_one_of_the_groups_that_are_written_at_once(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register, max_group_size=4, groups_at_once=2) as writer:
        first = asyncio.create_task(writer.submit(Enter("first", key("k1"))))
        await eventually(lambda: register.groups == [1])
        other = asyncio.create_task(writer.submit(Enter("second", key("k1", b'{"other": 1}'))))
        others = [asyncio.create_task(writer.submit(Enter(f"n{number}", key(f"o{number}")))) for number in range(2)]
        await eventually(lambda: register.groups == [1, 2])
        register.gate.set()
        await asyncio.gather(first, *others)
        with pytest.raises(Refusal) as refused:
            await other
    assert refused.value.code == "idempotency_key_reused"
    assert sum(register.groups) == 3, "nothing was tried alone: no group lost a race"
    assert await entries(database) == ["first", "n0", "n1"]


async def test_who_asks_again_while_the_first_try_waits_shares_its_place_and_outcome(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register, max_group_size=1, max_queue_size=2) as writer:
        first = asyncio.create_task(writer.submit(Enter("first", key("k0"))))
        await eventually(lambda: register.groups == [1])
        tries = [asyncio.create_task(writer.submit(Enter("once", key("k1")))) for _ in range(5)]
        refused = [asyncio.create_task(writer.submit(Enter("refused", key("k2")))) for _ in range(5)]
        again = asyncio.create_task(writer.submit(Enter("first", key("k0"))))
        register.gate.set()
        assert {(await each).body for each in tries} == {b"once"}
        assert await again == await first
        outcomes = await asyncio.gather(*refused, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Refusal}
    assert register.groups == [1, 1, 1], "each key was written once, and ten tries took two places"
    assert await entries(database) == ["first", "once"]


async def test_another_request_under_a_waiting_key_waits_its_turn_and_is_refused(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register) as writer:
        first = asyncio.create_task(writer.submit(Enter("first", key("k1"))))
        await eventually(lambda: register.groups == [1])
        other = asyncio.create_task(writer.submit(Enter("second", key("k1", b'{"other": 1}'))))
        register.gate.set()
        assert (await first).status == 201
        with pytest.raises(Refusal) as refused:
            await other
    assert refused.value.code == "idempotency_key_reused"
    assert await entries(database) == ["first"]


async def test_a_caller_who_hangs_up_takes_nothing_from_another_who_shares_its_place(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register) as writer:
        leaving, staying = (asyncio.create_task(writer.submit(Enter("once", key("k1")))) for _ in range(2))
        await eventually(lambda: register.groups == [1])
        leaving.cancel()
        register.gate.set()
        assert (await staying).body == b"once"
    assert leaving.cancelled()


async def test_when_the_oldest_waits_too_long_newcomers_are_turned_away_at_once(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register, max_group_size=1, max_age_seconds=0.2) as writer:
        written = asyncio.create_task(writer.submit(Enter("written", key("k1"))))
        await eventually(lambda: register.groups == [1])
        waiting = asyncio.create_task(writer.submit(Enter("waiting", key("k2"))))
        await asyncio.sleep(0.3)
        with pytest.raises(OverloadedError) as turned_away:
            await writer.submit(Enter("too-late", key("k3")))
        assert 1 <= turned_away.value.retry_after_seconds <= 3
        again = asyncio.create_task(writer.submit(Enter("waiting", key("k2"))))  # takes no place, so it may wait
        register.gate.set()
        assert [(await each).body for each in (written, waiting, again)] == [b"written", b"waiting", b"waiting"]
        assert (await writer.submit(Enter("later", key("k4")))).status == 201
    assert await entries(database) == ["later", "waiting", "written"]


async def test_who_waits_too_long_is_told_so_and_finds_the_answer_later(database: Database) -> None:
    register = Register()
    register.gate.clear()
    command = Enter("once", key("k1"))
    async with writing(database, register, answer_seconds=0.2) as writer:
        with pytest.raises(TransientError, match="still going to be"):
            await writer.submit(command)
        register.gate.set()

        async def answered() -> bool:
            """Ask again under the key, as the answer said: it may take longer than this short patience once more."""
            try:
                return (await writer.submit(command)).body == b"once"
            except TransientError:
                return False

        await eventually(answered)
    assert await entries(database) == ["once"]


async def test_a_group_whose_connection_was_lost_is_written_all_the_same(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register) as writer:
        tasks = [asyncio.create_task(writer.submit(Enter(f"n{number}", key(f"k{number}")))) for number in range(5)]
        await eventually(lambda: register.groups == [5])
        await end_transactions(database)
        register.gate.set()
        await asyncio.gather(*tasks)
    assert register.groups == [5, 5], "nothing was wrong with any of them: none had to be tried alone"
    assert await entries(database) == [f"n{number}" for number in range(5)]


async def end_transactions(database: Database) -> None:
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = user AND state = :state"
    async with database.reading() as connection:
        found = await connection.execute(text(ended), {"state": "idle in transaction"})
        assert found.scalar_one() == 1


async def test_while_the_database_is_away_a_group_is_told_so_at_once(database: Database) -> None:
    [nobody_listens] = free_ports(1)
    away = Database(f"postgresql://nobody:x@127.0.0.1:{nobody_listens}/nothing")
    began = time.monotonic()
    async with writing(away, Register()) as writer:
        commands = [Enter(f"n{number}", key(f"k{number}")) for number in range(100)]
        outcomes = await asyncio.gather(*map(writer.submit, commands), return_exceptions=True)
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    assert time.monotonic() - began < 3
    await away.close()


async def test_what_a_caller_who_hung_up_asked_for_is_done(database: Database) -> None:
    register = Register()
    register.gate.clear()
    async with writing(database, register) as writer:
        task = asyncio.create_task(writer.submit(Enter("asked")))
        await eventually(lambda: bool(register.groups))
        task.cancel()
        register.gate.set()
        assert (await writer.submit(Enter("next"))).status == 201
    assert await entries(database) == ["asked", "next"]


async def test_what_waits_is_written_before_the_end_and_nothing_after(database: Database) -> None:
    async with writing(database, Register()) as writer:
        tasks = [asyncio.create_task(writer.submit(Enter(f"n{number}"))) for number in range(3)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*tasks)) == 3
    with pytest.raises(OverloadedError):
        await writer.submit(Enter("late"))


async def test_the_gauges_count_what_waits_in_every_line(database: Database) -> None:
    slow, other = Register(), Register()
    slow.gate.clear()
    async with writing(database, slow) as first, writing(database, other) as last:
        in_hand = asyncio.create_task(first.submit(Enter("in hand")))
        await eventually(lambda: bool(slow.groups))
        waits = asyncio.create_task(first.submit(Enter("waits")))
        await asyncio.sleep(0)
        await last.submit(Enter("elsewhere"))

        assert REGISTRY.get_sample_value("drawdown_write_queue_commands") == 1
        slow.gate.set()
        await asyncio.gather(in_hand, waits)
    assert REGISTRY.get_sample_value("drawdown_write_queue_commands") == 0
