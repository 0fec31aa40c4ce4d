# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""State dicts in other objects than dicts, as Python itself pickles them: subclasses, namespaces, lists, tuples."""

import argparse
import collections
import dataclasses
import pickle
import types

import numpy as np
import pytest

import backbone

# Each writes objects in another way: as calls of a function of copyreg, and by an instruction of its own.
PROTOCOLS = [0, 2, 4]


@pytest.fixture(scope="module")
def state():
    """The values of a narrow network, every one of them different."""
    with backbone.ResNet(18, base_channels=2) as net:
        rng = np.random.default_rng(3)
        return {
            name: rng.uniform(0.5, 1.5, value.shape).astype(value.dtype) if value.ndim else np.array(5, value.dtype)
            for name, value in net.state_dict().items()
        }


def check(path, state, wrapper, **options):
    """The file has every value of the state dict, under those keys."""
    with backbone.ResNet(18, base_channels=2) as net:
        report = net.load_weights(path, strict=True, **options)
        assert report.wrapper == wrapper
        assert len(report.loaded) == len(state)
        for name, value in net.state_dict().items():
            np.testing.assert_array_equal(value, state[name], err_msg=name)


def dump(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol))
    return path


# ---- Classes of other programs ----


class Dict(dict):
    pass


class Ordered(collections.OrderedDict):
    pass


class Default(collections.defaultdict):
    pass


class DictWithAttributes(dict):
    """As EasyDict: every item is an attribute too."""

    def __init__(self, items):
        super().__init__(items)
        self.__dict__.update(items)


class DictWithItself(dict):
    """As addict.Dict, whose state is the dict itself, and which has attributes."""

    def __getstate__(self):
        return self

    def __setstate__(self, state):
        self.update(state)


class Frozen:
    """As a frozendict, which is made of a dict."""

    def __init__(self, items):
        self.items = items

    def __reduce__(self):
        return Frozen, (dict(self.items),)


class Mapping(collections.UserDict):
    pass


class Sequence(list):
    pass


class Items(tuple):
    __slots__ = ()


class Slots:
    __slots__ = ("epoch", "model")

    def __init__(self, model):
        self.epoch, self.model = 3, model


class SlotsAndMore(Slots):
    def __init__(self, model):
        super().__init__(1)
        self.trunk, self.model = model, None


class Outer:
    class Inner(dict):
        pass


@dataclasses.dataclass
class Record:
    model: dict
    epoch: int = 3


Pair = collections.namedtuple("Pair", "epoch model")
Network = collections.namedtuple("Network", "model")


# As `wrapper` says, their items are where a dict's are.
DICTS = {
    "dict": dict,
    "subclass": Dict,
    "OrderedDict": collections.OrderedDict,
    "subclass of OrderedDict": Ordered,
    "defaultdict": lambda items: collections.defaultdict(list, items),
    "subclass of defaultdict": lambda items: Default(list, items),
    "Counter": collections.Counter,
    "EasyDict": DictWithAttributes,
    "addict": DictWithItself,
    "frozendict": Frozen,
    "UserDict": collections.UserDict,
    "class in a class": Outer.Inner,
    "pairs": lambda items: list(items.items()),
    "tuple of pairs": lambda items: tuple(items.items()),
    "list of lists": lambda items: [[key, value] for key, value in items.items()],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", DICTS)
def test_items_are_found_in_any_kind_of_dict(tmp_path, state, kind, protocol):
    make = DICTS[kind]
    # A file of protocol 0 has no mark of its own: one that begins with a list of texts could be anything.
    if protocol > 0 or not isinstance(make(state), (list, tuple)):
        check(dump(tmp_path / "root", make(state), protocol), state, "")
    saved = {"x": make({"epoch": 3, "model": make(state)})}
    check(dump(tmp_path / "value", saved, protocol), state, "x.model", key="x.model")


# How a state dict is wrapped, and the keys that lead to it then.
WRAPPERS = {
    "Namespace": (lambda value: argparse.Namespace(lr=0.1, model=value), "model"),
    "SimpleNamespace": (lambda value: types.SimpleNamespace(lr=0.1, model=value), "model"),
    "dataclass": (Record, "model"),
    "slots": (Slots, "model"),
    "slots and attributes": (SlotsAndMore, "trunk"),
    "subclass of UserDict": (Mapping, "data"),
    "named tuple": (lambda value: Pair(3, value), "1"),
    "named tuple of one": (Network, ""),
    "list": (lambda value: [value, {"lr": 0.1}], "0"),
    "tuple": (lambda value: (7, value), "1"),
    "subclass of list": (lambda value: Sequence([value]), "0"),
    "subclass of tuple": (lambda value: Items((None, value)), "1"),
    "deque": (lambda value: collections.deque([None, value]), "1"),
    "ChainMap": (lambda value: collections.ChainMap({}, value), "maps.1"),
    "integer": (lambda value: {0: value}, "0"),
    "negative integer": (lambda value: {-12: value}, "-12"),
    "list under a key": (lambda value: {"models": [value]}, "models.0"),
    "eight keys": (lambda value: {"a": [{"b": ({2: {"c": [value]}},)}]}, "a.0.b.0.2.c.0"),
}


# Protocol 0 has no objects with slots, and writes a named tuple as what it is made of.
CASES = [
    (kind, protocol)
    for kind in WRAPPERS
    for protocol in PROTOCOLS
    if protocol or kind not in ("slots", "slots and attributes", "named tuple of one")
]


@pytest.mark.parametrize(("kind", "protocol"), CASES)
def test_state_dicts_are_found_in_objects_lists_and_tuples(tmp_path, state, kind, protocol):
    wrap, wrapper = WRAPPERS[kind]
    if protocol > 0:
        path = dump(tmp_path / "root", wrap(state), protocol)
        check(path, state, wrapper, key=wrapper)
    if wrapper.count(".") < 6:
        check(dump(tmp_path / "value", {"x": wrap(state)}, protocol), state, f"x.{wrapper}".removesuffix("."))


@pytest.mark.parametrize("key", [True, False, None, 1.5, (1, 2), b"model"])
def test_keys_that_have_no_text_lead_nowhere(tmp_path, state, key):
    path = dump(tmp_path / "file", {key: state, "epoch": 3})
    with backbone.ResNet(18, base_channels=2) as net, pytest.raises(backbone.CheckpointError, match="no state dict"):
        net.load_weights(path)


def test_more_than_eight_keys_are_too_many(tmp_path, state):
    def nested(depth):
        return state if depth == 0 else {"x": nested(depth - 1)}

    check(dump(tmp_path / "eight", nested(8)), state, "x.x.x.x.x.x.x.x")
    path = dump(tmp_path / "nine", nested(9))
    with backbone.ResNet(18, base_channels=2) as net, pytest.raises(backbone.CheckpointError, match="no state dict"):
        net.load_weights(path)


def test_what_an_optimizer_keeps_does_not_hide_a_state_dict(tmp_path, state):
    """It has a dict for each parameter, under numbers or names: more of them than state dicts are looked at."""
    numbers = {number: {"exp_avg": np.ones(2, "f4"), "step": 1} for number in range(400)}
    names = {f"layer{number}.weight": {"exp_avg": np.ones(2, "f4")} for number in range(400)}
    saved = {"optimizers": [{"state": numbers}, {"state": names}], "a": {"b": {"c": {"d": {"e": state}}}}}
    check(dump(tmp_path / "file", saved), state, "a.b.c.d.e")


def test_a_large_list_of_other_things_is_no_obstacle(tmp_path, state):
    saved = {"annotations": [{"bbox": [1, 2, 3, 4], "id": index} for index in range(50_000)], "model": state}
    check(dump(tmp_path / "file", saved), state, "model")
