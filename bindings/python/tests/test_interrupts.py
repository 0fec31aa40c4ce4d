# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Ctrl-C and `cancel` during calls that take long.

Such a call would take half a minute; its last image shows whether it went on to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import backbone
from backbone import _handle, _interrupts

IMAGES = 1 << 14
MARK = np.float32(-12345)


def network() -> backbone.ResNet:
    return backbone.ResNet(18, base_channels=8, threads=1, out_indices=(3,))


@pytest.fixture
def net() -> Iterator[backbone.ResNet]:
    with network() as net:
        yield net


@pytest.fixture(scope="module")
def out() -> np.ndarray:
    return np.zeros((IMAGES, 64, 8, 8), np.float32)


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def long_forward(net: backbone.ResNet, out: np.ndarray) -> None:
    out[-1] = MARK
    net(np.broadcast_to(np.float32(0.5), (len(out), 3, 256, 256)), [out])


def features(net: backbone.ResNet) -> bytes:
    image = np.random.default_rng(3).standard_normal((1, 3, 64, 64)).astype(np.float32)
    return net(image)[0].tobytes()


@contextlib.contextmanager
def repeatedly(action: Callable[[], object]) -> Iterator[None]:
    """Do something on another thread now and then, from soon on until the block ends."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(0.1):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextlib.contextmanager
def ctrl_c() -> Iterator[None]:
    """Ctrl-C once, soon."""
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_ctrl_c_ends_a_forward(net: backbone.ResNet, out: np.ndarray) -> None:
    before = features(net)
    for _ in range(3):
        with ctrl_c(), pytest.raises(KeyboardInterrupt):
            long_forward(net, out)
        assert (out[-1] == MARK).all()
    assert features(net) == before


def test_ctrl_c_ends_a_profile(net: backbone.ResNet) -> None:
    with ctrl_c(), pytest.raises(KeyboardInterrupt):
        while True:
            net.profile(np.zeros((256, 3, 256, 256), np.float32))


def test_ctrl_c_ends_training_passes() -> None:
    x = np.random.default_rng(1).standard_normal((10, 3, 224, 224), dtype=np.float32)
    with backbone.ResNet(18, threads=1, out_indices=(3,)) as net, net.tape() as tape, net.tape(retain=True) as other:
        (output,) = net.forward_train(x, other)
        weights = [np.ones_like(output)]
        started = time.monotonic()
        expected = net.backward(other, weights)
        # Longer than it takes until the signal comes, or this would show nothing.
        assert time.monotonic() - started > 0.25
        with ctrl_c(), pytest.raises(KeyboardInterrupt):
            while True:
                net.forward_train(x, tape)
        net.forward_train(x, tape)
        with ctrl_c(), pytest.raises(KeyboardInterrupt):
            net.backward(tape, weights)
        with pytest.raises(backbone.StaleError):
            net.backward(tape, weights)
        # A handler that raises nothing does not cost the result.
        signals: list[int] = []
        signal.signal(signal.SIGINT, lambda number, _: signals.append(number))
        net.forward_train(x, tape)
        for full in (tape, other):
            with ctrl_c():
                np.testing.assert_array_equal(net.backward(full, weights), expected)
        assert len(signals) == 2


def test_ctrl_c_ends_a_load_and_drawing_weights(tmp_path: object) -> None:
    path = f"{tmp_path}/weights.pth"
    with backbone.ResNet(50, threads=1) as net:
        net.save_weights(path)
        before = net.state_dict()["layer4.0.conv1.weight"]
        with ctrl_c(), pytest.raises(KeyboardInterrupt):
            while True:
                net.load_weights(path)
        with ctrl_c(), pytest.raises(KeyboardInterrupt):
            while True:
                net.init_weights()
        np.testing.assert_array_equal(net.state_dict()["layer4.0.conv1.weight"], before)


def test_a_handler_that_raises_nothing_gets_the_whole_result(net: backbone.ResNet) -> None:
    signals: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: signals.append(number))
    x = np.random.default_rng(1).standard_normal((256, 3, 128, 128)).astype(np.float32)
    expected = net(x)[0]
    out = np.full_like(expected, MARK)
    with repeatedly(lambda: len(signals) < 3 and os.kill(os.getpid(), signal.SIGINT)):
        while len(signals) < 3:
            net(x, [out])
            np.testing.assert_array_equal(out, expected)
    assert set(signals) == {signal.SIGINT}


def test_a_handler_of_its_own_raises_its_own(net: backbone.ResNet, out: np.ndarray) -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    signal.signal(signal.SIGINT, stop)
    with ctrl_c(), pytest.raises(Stop):
        long_forward(net, out)
    assert (out[-1] == MARK).all()


def test_other_signals_end_nothing(net: backbone.ResNet) -> None:
    """A timer of a profiler, say: a call that began anew each time would never end."""
    ticks: list[int] = []
    previous = signal.signal(signal.SIGALRM, lambda number, _: ticks.append(number))
    calls = 0
    original = net._handle.run

    def run(call: Callable[[int], int], **options: bool) -> int:
        def counted(pointer: int) -> int:
            nonlocal calls
            calls += 1
            return call(pointer)

        return original(counted, **options)

    net._handle.run = run  # type: ignore[method-assign]
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        forwards = 0
        while len(ticks) < 5:
            net(np.zeros((64, 3, 128, 128), np.float32))
            forwards += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert calls == forwards


def test_the_wakeup_descriptor_stays_whose_it_is(net: backbone.ResNet) -> None:
    """And gets the signals that came during a call: an event loop waits for them there."""
    mine, theirs = socket.socketpair()
    with mine, theirs:
        mine.setblocking(False)
        theirs.setblocking(False)
        previous = signal.set_wakeup_fd(theirs.fileno())
        try:
            with ctrl_c(), pytest.raises(KeyboardInterrupt):
                while True:
                    net(np.zeros((64, 3, 256, 256), np.float32))
            assert mine.recv(100) == bytes([signal.SIGINT])
            net(np.zeros((64, 3, 64, 64), np.float32))
        finally:
            assert signal.set_wakeup_fd(previous) == theirs.fileno()


def test_an_event_loop_hears_of_it(net: backbone.ResNet) -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        heard = asyncio.Event()
        loop.add_signal_handler(signal.SIGINT, heard.set)
        with ctrl_c():
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                net(np.zeros((16, 3, 128, 128), np.float32))
        await asyncio.wait_for(heard.wait(), 30)
        return "heard"

    assert asyncio.run(main()) == "heard"


def test_ctrl_c_does_not_end_what_another_thread_computes(net: backbone.ResNet, out: np.ndarray) -> None:
    """Though it computes with the same network."""
    x = np.random.default_rng(1).standard_normal((128, 3, 128, 128)).astype(np.float32)
    expected = net(x)[0]
    results: list[np.ndarray] = []
    is_over = threading.Event()

    def compute() -> None:
        while not is_over.is_set():
            results.append(net(x)[0])

    thread = threading.Thread(target=compute)
    thread.start()
    for _ in range(3):
        with ctrl_c(), pytest.raises(KeyboardInterrupt):
            long_forward(net, out)
    is_over.set()
    thread.join()
    assert results
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_cancel_ends_calls_of_other_threads(net: backbone.ResNet, out: np.ndarray) -> None:
    before = features(net)
    net.cancel()
    assert features(net) == before
    with repeatedly(net.cancel), pytest.raises(backbone.CancelledError, match="cancel"):
        long_forward(net, out)
    assert (out[-1] == MARK).all()
    assert features(net) == before
    assert issubclass(backbone.CancelledError, RuntimeError)


def test_cancel_of_a_closed_network() -> None:
    net = network()
    net.close()
    with pytest.raises(ValueError, match="closed"):
        net.cancel()


def test_a_signal_at_the_end_of_a_call_does_not_end_the_next() -> None:
    class Deaf(_interrupts._Watcher):
        def _serve(self) -> None:
            """Nobody hears of the signal before the call has ended."""

    watcher = Deaf()
    previous = watcher.begin(0)
    os.write(watcher._writer, bytes([signal.SIGINT]))
    watcher.end(previous)
    with pytest.raises(BlockingIOError):
        os.read(watcher._reader, 1)
    watcher.close()


# Runs the statement PLACE in the middle of `_Watcher.end`, which holds a lock, and prints whether the call succeeds.
_IN_THE_MIDDLE = """
import os
import signal
import numpy as np
import backbone
from backbone import _interrupts

net, other = [backbone.ResNet(18, base_channels=8, threads=1, out_indices=(3,)) for _ in range(2)]
image = np.ones((1, 3, 64, 64), np.float32)
net(image)
net.init_weights()
tries = []

class System:
    def __getattr__(self, name):
        return getattr(os, name)

    def read(self, *arguments):
        if not tries:
            tries.append(1)
            PLACE
        return os.read(*arguments)

signal.signal(signal.SIGTERM, lambda *_: (net.cancel(), net(image)))
_interrupts.os = System()
net.init_weights()
print(tries)
"""


@pytest.mark.parametrize(
    "place", ["other.close()", "net.cancel()", "os.kill(os.getpid(), signal.SIGTERM)", "net.close()"]
)
def test_another_call_while_one_ends(place: str) -> None:
    """As the garbage collector and signal handlers make: neither waits for itself."""
    program = _IN_THE_MIDDLE.replace("PLACE", place)
    environment = os.environ | {"PYTHONPATH": os.fspath(Path(backbone.__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, env=environment
    )
    assert (result.returncode, result.stdout) == (0, "[1]\n"), result.stderr


def test_a_handle_is_freed_once() -> None:
    """Whatever a signal handler does with it in the middle of a call."""
    freed: list[int] = []
    owned = _handle.Owned(7, freed.append, "thing")
    with owned as pointer:
        owned.close()
        owned.close()
        with pytest.raises(ValueError, match="thing is closed"), owned:
            pass
        assert (pointer, freed) == (7, [])
    assert freed == [7]
    with pytest.raises(ValueError, match="thing is closed"), owned:
        pass
    owned.close()
    assert freed == [7]


def test_a_child_of_a_fork_is_interrupted_too(net: backbone.ResNet, out: np.ndarray) -> None:
    with ctrl_c(), pytest.raises(KeyboardInterrupt):
        long_forward(net, out)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with ctrl_c():
                long_forward(net, out)
        except KeyboardInterrupt:
            status = 0 if (out[-1] == MARK).all() else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
