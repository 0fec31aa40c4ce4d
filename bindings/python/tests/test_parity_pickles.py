# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What a live PyTorch pickles: tensors of other devices, tensors that are not read, and objects of Python 2."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest

import backbone

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def objects(torch):
    module = pytest.importorskip("pickled_objects")
    yield module
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def state(torch):
    """The values of a narrow network, which bfloat16 has exactly."""
    generator = torch.Generator().manual_seed(6)
    with backbone.ResNet(18, base_channels=2) as net:
        shapes = {name: value.shape for name, value in net.state_dict().items()}
    return {
        name: torch.rand(shape, generator=generator).add(0.5).bfloat16().float() if shape else torch.tensor(5)
        for name, shape in shapes.items()
    }


def check(path, state, **options):
    with backbone.ResNet(18, base_channels=2) as net:
        report = net.load_weights(path, strict=True, **options)
        for name, value in net.state_dict().items():
            np.testing.assert_array_equal(value, state[name].numpy(), err_msg=name)
    return report


# ---- Other devices ----


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_tensors_of_other_devices(torch, objects, state, tmp_path, dtype, legacy):
    dtype = getattr(torch, dtype)
    saved = {name: objects.on_device(value.to(dtype) if value.ndim else value) for name, value in state.items()}
    torch.save({"model": saved}, tmp_path / "file", _use_new_zipfile_serialization=not legacy)
    check(tmp_path / "file", state)


def test_a_device_that_is_not_here(torch, objects, state, tmp_path):
    saved = {name: objects.on_device(value, "xla:0") for name, value in state.items()}
    torch.save({"model": saved}, tmp_path / "file")
    check(tmp_path / "file", state)


@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_of_more_bytes_than_a_pickle_in_memory(torch, objects, state, tmp_path, protocol):
    """A ResNet-50 of a TPU has 102 MB in the pickle, in protocol 2 as text of half as many bytes again."""
    other = torch.randint(-(2**31), 2**31 - 1, (17 << 20,), generator=torch.Generator().manual_seed(7)).int()
    saved = {"other": objects.on_device(other)}
    saved |= {name: objects.on_device(value) for name, value in state.items()}
    torch.save(saved, tmp_path / "file", pickle_protocol=protocol)
    with backbone.ResNet(18, base_channels=2) as net:
        report = net.load_weights(tmp_path / "file")
        assert len(report.loaded) == len(state)
        for name, value in net.state_dict().items():
            np.testing.assert_array_equal(value, state[name].numpy(), err_msg=name)


# ---- Tensors that are not read ----


def test_tensors_that_are_not_read_say_what_they_are(torch, objects, state, tmp_path):
    for kind, (tensor, text) in objects.unread_tensors().items():
        torch.save(dict(state, **{"conv1.weight": tensor}), tmp_path / "file")
        with backbone.ResNet(18, base_channels=2) as net:
            with pytest.raises(backbone.CheckpointError) as error:
                net.load_weights(tmp_path / "file")
        assert "'conv1.weight'" in str(error.value) and text in str(error.value), kind


def test_a_state_dict_of_nothing_else_is_one(torch, state, tmp_path):
    torch.save({"model": {name: value.to_sparse() for name, value in state.items() if value.ndim}}, tmp_path / "file")
    with backbone.ResNet(18, base_channels=2) as net:
        with pytest.raises(backbone.CheckpointError, match="a sparse tensor, .*; save it after .to_dense"):
            net.load_weights(tmp_path / "file")


def test_what_the_network_does_not_need_may_be_anything(torch, objects, state, tmp_path):
    others = {f"head.{kind}": tensor for kind, (tensor, _) in objects.unread_tensors().items()}
    torch.save(state | others, tmp_path / "file")
    with backbone.ResNet(18, base_channels=2) as net:
        assert len(net.load_weights(tmp_path / "file").loaded) == len(state)


# ---- Python 2 ----


class Ordered(OrderedDict):
    """A subclass of an ordered dict as Python 2 pickled it: made of a list of lists."""

    def __reduce__(self):
        return Ordered, ([[key, value] for key, value in self.items()],), {"metadata": 1}


class Dict(dict):
    pass


class List(list):
    pass


@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("make", [dict, Dict, OrderedDict, Ordered, lambda state: [state], lambda state: List([state])])
def test_objects_of_python_2(torch, state, tmp_path, make, protocol):
    containers = pytest.importorskip("checkpoint_containers")
    arrays = {name: value.numpy() for name, value in state.items()}
    check(containers.write_python2_pickle(tmp_path / "file", make(arrays), protocol), state)
    check(containers.write_python2_pickle(tmp_path / "file", {"model": make(arrays), "epoch": 3}, protocol), state)


@pytest.mark.parametrize("attribute", ["data", "model"])
def test_instances_of_old_classes(torch, state, tmp_path, attribute):
    """INST, which Python 3 does not write: the instance of a class of Python 2 that derives from nothing."""
    module, name = ("UserDict", "UserDict") if attribute == "data" else ("argparse", "Namespace")
    attributes = pickle.dumps({attribute: {key: value.numpy() for key, value in state.items()}}, 0)
    pickled = b"(dS'checkpoint'\n" + f"(i{module}\n{name}\n".encode() + attributes.removesuffix(b".") + b"bs."
    (tmp_path / "file").write_bytes(pickled.replace(b"(dS", b"(dp900\nS", 1))
    report = check(tmp_path / "file", state)
    assert report.wrapper == ("checkpoint" if attribute == "data" else "checkpoint.model")
