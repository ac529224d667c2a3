"""Worker processes: children that hang, crash, starve, lie; and the pool that outlives them."""

from __future__ import annotations

import asyncio
import errno
import gc
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from daemon.workers import worker
from daemon.workers.errors import (
    PoolClosed,
    WorkerCrashed,
    WorkerError,
    WorkerMemory,
    WorkerRaised,
    WorkerStartFailed,
    WorkerTimeout,
)
from daemon.workers.frames import Message
from daemon.workers.pool import WorkerPool
from daemon.workers.spawning import spawned_ahead
from tests.integration.pipeline_jobs import VALUE
from tests.sections import make_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.workers.limits import Limits

ROOT = Path(__file__).resolve().parents[2]
SECRET = b"the-site-key-is-only-in-a-socket"
MIB = 1024 * 1024
DEADLINE_S = 240.0
PATIENT = make_limits(timeout_s=60.0, memory_bytes=512 * MIB, niceness=0)
SHORT = make_limits(timeout_s=0.3, memory_bytes=512 * MIB, niceness=0)


def make_pool(limits: Limits = PATIENT, *, count: int = 2, **changes: Any) -> WorkerPool:
    given: dict[str, Any] = {"target": "tests.integration.pipeline_jobs:start", "document": {}}
    given |= changes
    return WorkerPool(
        given["target"],
        given["document"],
        SECRET,
        count=count,
        limits=limits,
        import_path=[ROOT],
        spawned=given.get("spawned"),
    )


def job(do: str, **more: Any) -> Message:
    return Message({"do": do, **more})


async def eventually(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def shown_of(pid: int) -> bytes:
    """Return what everybody (the command line) or root (the environment) can read of a process."""
    proc = Path(f"/proc/{pid}")
    return (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()


async def test_each_job_gets_its_own_answer_once(tmp_path: Path) -> None:
    mark = tmp_path / "marks"
    async with make_pool() as pool:
        answers = await asyncio.gather(
            *(
                pool.run(Message({"do": "echo", "n": n, "mark": str(mark)}, (b"%d" % n,) * 3))
                for n in range(500)
            )
        )
    assert [answer.header["n"] for answer in answers] == list(range(500))
    assert [answer.fields for answer in answers] == [(b"%d" % n,) * 3 for n in range(500)]
    assert sorted(map(int, mark.read_text(encoding="ascii").split())) == list(range(500))


async def test_all_processes_take_part() -> None:
    async with make_pool(count=3) as pool:
        pids = set(pool.pids)
        answers = await asyncio.gather(*(pool.run(job("echo")) for _ in range(200)))
        assert {answer.header["pid"] for answer in answers} == pids
        assert len(pids) == 3


async def test_a_process_looks_at_pixels_with_one_thread() -> None:
    async with make_pool(count=1) as pool:
        assert (await pool.run(job("threads"))).header["count"] == 1


async def test_what_a_process_loaded_stays_and_what_jobs_leave_is_collected() -> None:
    async with make_pool(count=1) as pool:
        told = (await pool.run(job("garbage"))).header
    assert told["is_collected"]
    assert told["kept"] > 10_000


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("hang", WorkerTimeout()),
        ("spent", WorkerTimeout()),
        ("eat", WorkerMemory()),
        ("segfault", WorkerCrashed(signal=signal.SIGSEGV)),
        ("exit", WorkerCrashed(exit_code=3)),
        ("list", WorkerCrashed()),
        ("noise", WorkerCrashed()),
        ("enormous", WorkerCrashed()),
    ],
)
async def test_a_job_that_ruins_its_process_is_told_why(do: str, error: WorkerError) -> None:
    limits = SHORT if do == "hang" else PATIENT
    async with make_pool(limits, count=1) as pool:
        ruined = pool.pids
        with pytest.raises(type(error)) as raised:
            await pool.run(job(do))
        assert vars(raised.value) == vars(error)
        answer = await pool.run(job("echo", n=1))
        assert answer.header["n"] == 1
        assert pool.pids != ruined
        await eventually(lambda: not any(is_alive(pid) for pid in ruined))


async def test_a_second_answer_to_the_same_job_ends_the_process() -> None:
    async with make_pool(count=1) as pool:
        before = pool.pids
        assert (await pool.run(job("twice"))).header == {}
        await eventually(lambda: pool.ready == 1 and pool.pids != before)


@pytest.mark.parametrize("do", ["raise", "sys_exit", "nothing"])
async def test_a_job_that_raises_leaves_its_process_alive_and_no_value_in_the_trace(
    do: str,
) -> None:
    async with make_pool(count=1) as pool:
        before = pool.pids
        with pytest.raises(WorkerRaised) as raised:
            await pool.run(job(do))
        assert (await pool.run(job("echo", n=2))).header["n"] == 2
        assert pool.pids == before
    assert raised.value.type_name in {"ValueError", "SystemExit", "AttributeError"}
    assert "pipeline_jobs.py:" in raised.value.trace or do == "nothing"
    assert VALUE not in raised.value.trace
    assert VALUE not in str(raised.value)


async def test_jobs_queued_behind_a_killed_one_run_once_and_are_not_blamed(tmp_path: Path) -> None:
    mark = tmp_path / "marks"
    # More than a file may let wait that many write to; one that hangs costs as much.
    limits = make_limits(timeout_s=1.0, memory_bytes=512 * MIB, niceness=0)
    async with make_pool(limits) as pool:
        jobs = [
            pool.run(job("hang" if n % 10 == 5 else "echo", n=n, mark=str(mark))) for n in range(40)
        ]
        answers = await asyncio.gather(*jobs, return_exceptions=True)
    for n, answer in enumerate(answers):
        assert isinstance(answer, WorkerTimeout if n % 10 == 5 else Message)
    assert sorted(map(int, mark.read_text(encoding="ascii").split())) == list(range(40))


async def test_programs_that_a_job_started_end_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    async with make_pool(make_limits(timeout_s=2.0, memory_bytes=512 * MIB), count=1) as pool:
        with pytest.raises(WorkerTimeout):
            await pool.run(job("hang_with_program", pid_file=str(pid_file)))
        grandchild = int(pid_file.read_text(encoding="ascii"))
        await eventually(lambda: not is_alive(grandchild))


async def test_no_process_and_no_zombie_is_left_after_closing() -> None:
    async with make_pool(SHORT, count=3) as pool:
        pids = pool.pids
        await asyncio.gather(
            *(pool.run(job(do)) for do in ("hang", "segfault", "echo")), return_exceptions=True
        )
        pids += pool.pids
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert pool.pids == []


async def test_closing_gives_up_what_runs_and_what_waits() -> None:
    pool = make_pool(count=1)
    await pool.start()
    pids = pool.pids
    jobs = [asyncio.ensure_future(pool.run(job("hang"))) for _ in range(5)]
    await asyncio.sleep(0)
    await pool.close()
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(answer) for answer in answers] == [PoolClosed] * 5
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(PoolClosed):
        await pool.run(job("echo"))


async def test_closing_with_a_deadline_lets_jobs_finish() -> None:
    pool = make_pool()
    await pool.start()
    jobs = [asyncio.ensure_future(pool.run(job("echo", n=n))) for n in range(50)]
    await asyncio.sleep(0)
    await pool.close(drain_s=DEADLINE_S)
    assert [(await each).header["n"] for each in jobs] == list(range(50))


async def test_a_cancelled_caller_does_not_disturb_the_others() -> None:
    async with make_pool(SHORT, count=1) as pool:
        abandoned = asyncio.ensure_future(pool.run(job("hang")))
        waiting = asyncio.ensure_future(pool.run(job("hang")))
        others = [asyncio.ensure_future(pool.run(job("echo", n=n))) for n in range(5)]
        await asyncio.sleep(0.01)
        abandoned.cancel()
        waiting.cancel()
        assert [(await each).header["n"] for each in others] == list(range(5))


async def test_the_secret_is_neither_on_the_command_line_nor_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DICOMVEIL_TEST_PASSWORD", "swordfish")
    async with make_pool(document={"a": 1}) as pool:
        for pid in pool.pids:
            shown = shown_of(pid)
            assert SECRET not in shown
            assert SECRET.hex().encode() not in shown
            assert b"swordfish" not in shown
        known = await pool.run(job("known"))
    assert known.fields == (SECRET,)
    assert known.header["document"] == {"a": 1}
    assert "DICOMVEIL_TEST_PASSWORD" not in known.header["environment"]


async def test_limits_are_in_force_in_the_process() -> None:
    limits = make_limits(memory_bytes=300 * MIB, open_files=64, niceness=3, timeout_s=10.0)
    async with make_pool(limits, count=1) as pool:
        found = (await pool.run(job("limits"))).header
        pid = pool.pids[0]
    assert found["RLIMIT_DATA"] == 300 * MIB
    assert found["RLIMIT_CORE"] == 0
    assert found["RLIMIT_NOFILE"] == 64
    assert 10 <= found["RLIMIT_CPU"] <= 10 * (os.cpu_count() or 1) + 60
    assert found["nice"] == os.nice(0) + 3
    assert found["oom"] >= 700
    assert found["session"] == pid
    assert not found["stdin_is_socket"]


async def test_time_limits_grow_with_the_size() -> None:
    limits = make_limits(timeout_s=0.2, timeout_per_mb_s=60.0, memory_bytes=512 * MIB)
    assert limits.job_timeout_s(2_000_000) == pytest.approx(120.2)
    async with make_pool(limits, count=1) as pool:
        large = asyncio.ensure_future(pool.run(job("hang"), size=10_000_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(large), 1.0)
        large.cancel()


async def test_a_job_that_waits_for_its_turn_has_the_time_it_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # 0.16 s of CPU in 1 s: on a busy machine, where a limit of 0.4 s by the clock would end it.
    monkeypatch.setattr(worker, "_LONGEST", math.inf)
    limits = make_limits(timeout_s=0.4, timeout_per_mb_s=0.0, memory_bytes=512 * MIB, niceness=0)
    async with make_pool(limits, count=1) as pool:
        for n in range(3):  # each has the whole of it
            assert (await pool.run(job("work_slowly", n=n))).header["n"] == n


async def test_a_job_that_has_not_had_its_turn_yet_does_not_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a machine that gave the process nothing of the time until it was looked at."""
    monkeypatch.setattr(worker, "cpu_seconds", lambda _pid: 0.0)
    monkeypatch.setattr(worker, "_LONGEST", math.inf)
    async with make_pool(SHORT, count=1) as pool:
        await pool.run(job("look", pixels=0, cpu_s=0.8))
        with pytest.raises(WorkerTimeout):
            await pool.run(job("hang"))


async def test_time_limits_follow_the_pixels_that_a_job_looks_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the CPU alone: the clock of a busy machine, and a loop that comes late, decide nothing."""
    monkeypatch.setattr(worker, "_LONGEST", math.inf)
    limits = make_limits(
        timeout_s=0.3, timeout_per_megapixel_s=50.0, memory_bytes=512 * MIB, niceness=0
    )
    async with make_pool(limits, count=1) as pool:
        await pool.run(job("look", pixels=200_000, cpu_s=0.8))
        with pytest.raises(WorkerTimeout):  # what one job was given is not the next one's
            await pool.run(job("look", pixels=1, cpu_s=3600.0))


async def test_a_job_that_works_for_ever_is_ended_by_the_daemon() -> None:
    limits = make_limits(timeout_s=0.4, timeout_per_mb_s=0.0, memory_bytes=512 * MIB)
    async with make_pool(limits, count=1) as pool:
        with pytest.raises(WorkerTimeout):
            await pool.run(job("work_for_ever"))


async def test_what_a_job_prints_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    async with make_pool(count=1) as pool:
        await pool.run(job("print"))
    out, err = capfd.readouterr()
    assert VALUE not in out + err


async def test_signals_to_the_group_do_not_end_a_process() -> None:
    async with make_pool(count=1) as pool:
        before = pool.pids
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.killpg(before[0], number)
        assert (await pool.run(job("echo", n=1))).header["n"] == 1
        assert pool.pids == before


async def test_a_process_that_did_its_share_is_replaced_without_a_gap(tmp_path: Path) -> None:
    limits = make_limits(recycle_after_jobs=5, memory_bytes=512 * MIB)
    mark = tmp_path / "marks"
    async with make_pool(limits, count=1) as pool:
        pids = set()
        for n in range(60):
            pids.add((await pool.run(job("echo", n=n, mark=str(mark)))).header["pid"])
            assert pool.ready >= 1
            if n % 5 == 4:
                await eventually(lambda: pool.pids[-1] not in pids and len(pool.pids) == 1)
    assert len(pids) >= 12
    assert mark.read_text(encoding="ascii").split() == [str(n) for n in range(60)]


async def test_a_process_that_keeps_memory_is_replaced() -> None:
    limits = make_limits(recycle_above_bytes=64 * MIB, memory_bytes=1024 * MIB)
    async with make_pool(limits, count=1) as pool:
        before = pool.pids
        for _ in range(16):
            await pool.run(job("keep", bytes=8 * MIB))
        await eventually(lambda: pool.ready == 1 and not set(before) & set(pool.pids))


async def test_an_idle_process_that_is_killed_is_replaced() -> None:
    async with make_pool(count=2) as pool:
        victim = pool.pids[0]
        os.kill(victim, signal.SIGKILL)
        await eventually(lambda: victim not in pool.pids and pool.ready == 2)
        assert (await pool.run(job("echo", n=1))).header["n"] == 1


@pytest.mark.parametrize(
    "start", ["start_raising", "start_hanging", "start_dying", "start_greedy", "no_such_function"]
)
async def test_a_pool_that_cannot_start_says_so_and_leaves_nothing(start: str) -> None:
    limits = make_limits(start_timeout_s=2.0 if start == "start_hanging" else 60.0)
    before = set(psutil.Process().children())
    pool = make_pool(limits, target=f"tests.integration.pipeline_jobs:{start}")
    with pytest.raises(WorkerStartFailed) as raised:
        await pool.start()
    assert VALUE not in str(raised.value)
    assert set(psutil.Process().children()) <= before


async def test_a_replacement_that_cannot_start_is_tried_again(tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    document = {"started": str(tmp_path / "started"), "count": 1, "allow": str(allow)}
    target = "tests.integration.pipeline_jobs:start_once"
    async with make_pool(count=1, target=target, document=document) as pool:
        with pytest.raises(WorkerCrashed):
            await pool.run(job("exit"))
        waiting = asyncio.ensure_future(pool.run(job("echo", n=9)))
        await eventually(lambda: (tmp_path / "started").stat().st_size >= 2)
        assert not waiting.done()
        allow.touch()
        assert (await waiting).header["n"] == 9


async def test_no_process_survives_a_daemon_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        "import asyncio, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.integration.test_pipeline_pool import job, make_pool\n"
        "async def main():\n"
        "    pool = make_pool()\n"
        "    await pool.start()\n"
        "    jobs = [asyncio.ensure_future(pool.run(job('hang'))) for _ in range(4)]\n"
        "    print('pids', *pool.pids, flush=True)\n"
        "    await asyncio.gather(*jobs)\n"
        "asyncio.run(main())\n",
        encoding="utf-8",
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, script, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    try:
        words = (await owner.stdout.readuntil(b"pids ") + await owner.stdout.readline()).split()
        pids = [int(pid) for pid in words[words.index(b"pids") + 1 :]]
        assert pids
        assert all(is_alive(pid) for pid in pids)
    finally:
        owner.kill()
        await owner.wait()
    await eventually(lambda: not any(is_alive(pid) for pid in pids))


async def test_a_pool_without_descriptors_says_so_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_pid: int) -> int:
        raise OSError(errno.EMFILE, VALUE)

    before = set(psutil.Process().children())
    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(WorkerStartFailed) as raised:
        await make_pool().start()
    assert VALUE not in str(raised.value)
    assert set(psutil.Process().children()) <= before


async def test_a_process_that_was_started_ahead_is_used_and_has_loaded_what_it_was_told() -> None:
    with spawned_ahead(1, "tests.integration.pipeline_jobs:warm_up", [ROOT]) as spawned:
        ahead = spawned[0].process.pid
        async with make_pool(count=2, spawned=spawned) as pool:
            assert spawned == []
            assert ahead in pool.pids
            assert len(pool.pids) == 2
            answers = await asyncio.gather(*(pool.run(job("warm")) for _ in range(100)))
    assert {answer.header["pid"] for answer in answers if answer.header["is_warm"]} == {ahead}
    assert not is_alive(ahead)


async def test_limits_are_in_force_in_a_process_that_was_started_ahead() -> None:
    limits = make_limits(memory_bytes=300 * MIB, open_files=64, niceness=3, timeout_s=10.0)
    with spawned_ahead(1, "tests.integration.pipeline_jobs:warm_up", [ROOT]) as spawned:
        assert SECRET not in shown_of(spawned[0].process.pid)
        async with make_pool(limits, count=1, spawned=spawned) as pool:
            found = (await pool.run(job("limits"))).header
            with pytest.raises(WorkerCrashed):
                await pool.run(job("segfault"))
            assert (await pool.run(job("echo", n=1))).header["n"] == 1
    assert found["RLIMIT_DATA"] == 300 * MIB
    assert found["RLIMIT_NOFILE"] == 64
    assert not found["stdin_is_socket"]


def test_processes_that_were_started_ahead_and_not_needed_are_ended() -> None:
    with spawned_ahead(2, "") as spawned:
        pids = [each.process.pid for each in spawned]
        assert all(is_alive(pid) for pid in pids)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_where_the_system_refuses_a_process_ahead_there_is_none_and_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, VALUE)

    gc.collect()  # nothing of what came before is closed meanwhile
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with spawned_ahead(1, "") as spawned:
        assert spawned == []
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


async def test_a_process_that_cannot_load_is_told_with_a_trace_and_leaves_nothing() -> None:
    before = set(psutil.Process().children())
    with spawned_ahead(1, "tests.integration.pipeline_jobs:start_raising", [ROOT]) as spawned:
        with pytest.raises(WorkerStartFailed) as raised:
            await make_pool(count=1, spawned=spawned).start()
        assert "TypeError at" in str(raised.value)
    assert set(psutil.Process().children()) <= before


async def test_a_process_that_was_started_ahead_ends_with_the_one_that_started_it(
    tmp_path: Path,
) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from daemon.workers.spawning import spawn\n"
        "print(spawn().process.pid, flush=True)\n"
        "time.sleep(60)\n",
        encoding="utf-8",
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, script, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    try:
        pid = int(await owner.stdout.readline())
        assert is_alive(pid)
    finally:
        owner.kill()
        await owner.wait()
    await eventually(lambda: not is_alive(pid))
