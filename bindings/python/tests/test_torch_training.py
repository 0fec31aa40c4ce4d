# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone.torch.Backbone` is trained as the same network of PyTorch is."""

import copy
import gc
import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from weight_formula import images

import backbone

pytestmark = pytest.mark.parity

SHAPE = (2, 3, 64, 80)
BOUND = 1e-3


@pytest.fixture(scope="module")
def Backbone(torch):  # noqa: N802 - a class
    from backbone.torch import Backbone

    return Backbone


@pytest.fixture(scope="module")
def gradients(torch):
    import gradients

    return gradients


@pytest.fixture(scope="module")
def pair(torch, reference, gradients, Backbone):  # noqa: N803
    """Make a narrow model of PyTorch and a Backbone with its weights."""
    models = {}

    def make(depth=18, **options):
        if depth not in models:
            model = reference.with_formula(depth, 3, 8)
            models[depth] = gradients.keep_away_from_zero(model, [images("margins", (4, 3, 64, 64))])
        state = models[depth].state_dict()
        frozen = {name: options[name] for name in ("frozen_stages", "norm_eval") if name in options}
        model = reference.ResNet(depth, 3, 8, **frozen)
        model.load_state_dict(state)
        return model.train(), Backbone(f"resnet{depth}", state, base_channels=8, **options)

    return make


def batch(torch, name="training", shape=SHAPE):
    return torch.from_numpy(images(name, shape))


def loss_of(features):
    values = features.values() if isinstance(features, dict) else features
    return sum((feature.square().mean() for feature in values), start=0.0)


def by_name(module):
    return {name: parameter.grad for name, parameter in module.named_parameters()}


def assert_near(actual, expected, bound=BOUND):
    """Gradients by name, each within a bound of its largest value; those that are 0 by definition nearly so."""
    assert list(actual) == list(expected)
    scale = max(float(value.abs().max()) for value in expected.values() if value is not None)
    for name, value in expected.items():
        if value is None:
            assert actual[name] is None, name
            continue
        error = float((actual[name] - value).abs().max())
        assert error <= max(bound * float(value.abs().max()), 1e-6 * scale), (name, error)


def assert_same(actual, expected):
    assert list(actual) == list(expected)
    for name, value in expected.items():
        assert (actual[name] is None) == (value is None), name
        assert value is None or actual[name].equal(value), name


# ---- Gradients ----


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("options", [{}, {"norm_eval": True}, {"frozen_stages": 1}], ids=str)
def test_gradients_are_pytorchs(torch, pair, depth, options):
    model, body = pair(depth, **options)
    ours, theirs = batch(torch).requires_grad_(), batch(torch).requires_grad_()
    loss, expected = loss_of(body(ours)), loss_of(model(theirs))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    loss.backward()
    expected.backward()
    assert_near(by_name(body), by_name(model))
    assert_near({"x": ours.grad}, {"x": theirs.grad})
    assert [name for name, p in body.named_parameters() if not p.requires_grad] == [
        name for name, p in model.named_parameters() if not p.requires_grad
    ]
    for name, value in model.state_dict().items():
        torch.testing.assert_close(body.state_dict()[name], value, rtol=1e-4, atol=1e-4, msg=name)


def test_gradients_in_evaluation_mode_and_of_some_features(torch, pair):
    model, body = pair()
    model.eval()
    body.eval()
    for stage in ("layer2", "layer4"):
        for module in (model, body):
            module.zero_grad()
        body(batch(torch))[stage].square().sum().backward()
        model(batch(torch))[int(stage[-1]) - 1].square().sum().backward()
        expected = by_name(model)
        # PyTorch has None for the stages after the one of the loss, which do not take part.
        zeros = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
        assert_near(by_name(body), {n: zeros[n] if gradient is None else gradient for n, gradient in expected.items()})
        before = copy.deepcopy(body.state_dict())
    assert_same(body.state_dict(), before)


def test_gradients_reach_what_comes_before_the_input(torch, pair):
    model, body = pair(frozen_stages=4)
    x = batch(torch)
    results = []
    for net in (body, model):
        scale = torch.full((1, 3, 1, 1), 1.5, requires_grad=True)
        loss_of(net(x * scale)).backward()
        results.append(scale.grad)
        assert all(parameter.grad is None for parameter in net.parameters())
    assert_near({"scale": results[0]}, {"scale": results[1]})
    assert not any(feature.requires_grad for feature in body(x).values())


@pytest.mark.parametrize("channel_order", ["as_given", "reversed"])
def test_gradient_of_an_input_that_is_normalised_on_the_way(torch, pair, channel_order):
    mean, std = [0.5, -0.25, 0.125], [2.0, 0.5, 4.0]
    options = {"mean": mean, "std": std, "channel_order": channel_order, "normalize": "all", "norm_eval": True}
    state = pair()[0].state_dict()
    model, _ = pair(norm_eval=True)
    from backbone.torch import Backbone

    body = Backbone("resnet18", state, base_channels=8, **options)
    ours, theirs = batch(torch).requires_grad_(), batch(torch).requires_grad_()
    loss_of(body(ours)).backward()
    x = theirs.flip(1) if channel_order == "reversed" else theirs
    loss_of(model((x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1))).backward()
    assert_near({"x": ours.grad}, {"x": theirs.grad})
    assert_near(by_name(body), by_name(model))


def test_parameters_without_requires_grad_have_no_gradient(torch, pair):
    _, body = pair()
    for name, parameter in body.named_parameters():
        parameter.requires_grad_("bn" in name)
    loss_of(body(batch(torch))).backward()
    assert all((parameter.grad is not None) == ("bn" in name) for name, parameter in body.named_parameters())
    body.requires_grad_(False)
    assert not any(feature.requires_grad for feature in body(batch(torch)).values())


def test_layouts_and_empty_batches(torch, pair):
    _, body = pair()
    body.eval()
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        x = batch(torch).to(memory_format=layout).requires_grad_()
        features = body(x)
        assert all(feature.is_contiguous(memory_format=layout) for feature in features.values())
        loss_of(features).backward()
        results.append(x.grad)
    assert torch.equal(*results)
    body.zero_grad()
    x = torch.empty(0, 3, 32, 32, requires_grad=True)
    sum(feature.sum() for feature in body(x).values()).backward()
    assert x.grad.shape == x.shape and not any(parameter.grad.any() for parameter in body.parameters())


# ---- Passes and their tapes ----


def test_several_passes_before_one_backward(torch, pair):
    model, body = pair()
    views = [batch(torch, f"view {number}") for number in range(3)]
    for net in (body, model):
        sum(loss_of(net(view)) for view in views).backward()
    assert_near(by_name(body), by_name(model))
    assert len(body._pool._tapes) == 3
    tapes = list(body._pool._tapes)
    loss = loss_of(body(views[0]))
    assert len(body._pool._tapes) == 2
    loss.backward()
    assert set(map(id, body._pool._tapes)) == set(map(id, tapes))
    # A pass without a way back gives its tape back when it is forgotten.
    features = body(views[0])
    assert len(body._pool._tapes) == 2
    del features
    gc.collect()
    assert len(body._pool._tapes) == 3
    body.eval()
    assert not body._pool._tapes


def test_gradients_accumulate(torch, pair):
    _, body = pair(norm_eval=True)
    views = [batch(torch, f"view {number}") for number in range(2)]
    parts = []
    for view in views:
        body.zero_grad()
        loss_of(body(view)).backward()
        parts.append(by_name(body))
    body.zero_grad()
    assert all(parameter.grad is None for parameter in body.parameters())
    for view in views:
        loss_of(body(view)).backward()
    assert_same(by_name(body), {name: parts[0][name] + parts[1][name] for name in parts[0]})


def test_memory_of_gradients_is_used_again_when_nobody_has_them(torch, pair):
    _, body = pair(norm_eval=True)
    first, second = (batch(torch, f"view {number}") for number in range(2))
    name, parameter = next((n, p) for n, p in body.named_parameters() if p.requires_grad)

    def gradient(x):
        body.zero_grad()
        loss_of(body(x)).backward()
        return parameter.grad

    place = gradient(first).data_ptr()
    assert gradient(first).data_ptr() == place, name
    # A view, or an array, of one of them is enough to keep all.
    kept = gradient(first).view(-1)[3:5].numpy()
    before = kept.copy()
    assert gradient(second).data_ptr() != place
    assert not parameter.grad.equal(gradient(first))
    assert (kept == before).all()


def test_a_second_backward_pass_needs_retain_graph(torch, pair, Backbone):  # noqa: N803
    _, body = pair()
    loss = loss_of(body(batch(torch)))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="second backward pass.*retain_graph=True"):
        loss.backward()
    _, body = pair(retain_graph=True)
    loss = loss_of(body(batch(torch)))
    loss.backward(retain_graph=True)
    once = by_name(body)
    once = {name: value.clone() for name, value in once.items()}
    loss.backward()
    assert_same(by_name(body), {name: value + value for name, value in once.items()})


@pytest.mark.parametrize("depth", [18, 50])
def test_activations_may_be_computed_again(torch, pair, depth):
    results = []
    for recompute in (False, True):
        _, body = pair(depth, recompute=recompute)
        loss_of(body(batch(torch))).backward()
        results.append({**by_name(body), **dict(body.named_buffers())})
        (tape,) = body._pool._tapes
        assert tape.recompute == recompute
    assert_same(*results)


def test_gradients_of_gradients_are_refused(torch, pair):
    _, body = pair()
    x = batch(torch).requires_grad_()
    # Of features whose gradients are constants too, as in gradient penalties.
    for loss in (loss_of(body(x)), body(x)["layer4"].sum()):
        with pytest.raises(RuntimeError, match=r"create_graph=True .* computes no gradients of gradients"):
            torch.autograd.grad(loss, x, create_graph=True)
        loss.backward()


def test_changes_between_forward_and_backward(torch, pair):
    _, body = pair(norm_eval=True)
    first = loss_of(body(batch(torch)))
    with torch.no_grad():
        body.conv1.weight.mul_(1.5)
    with pytest.raises(backbone.StaleError, match="changed since the forward pass"):
        first.backward()
    third = loss_of(body(batch(torch)))
    # PyTorch counts no such change; another forward pass sees it.
    body.conv1.weight.data.mul_(1.5)
    second = loss_of(body(batch(torch)))
    with pytest.raises(backbone.StaleError, match="weights were written"):
        third.backward()
    body.freeze(1)
    with pytest.raises(backbone.StaleError, match="frozen"):
        second.backward()
    loss_of(body(batch(torch))).backward()


def test_checkpointing(torch, pair):
    from torch.utils.checkpoint import checkpoint

    _, body = pair(norm_eval=True)
    loss_of(body(batch(torch))).backward()
    expected = by_name(body)
    for reentrant in (False, True):
        body.zero_grad()
        x = batch(torch).requires_grad_()
        loss_of(checkpoint(lambda x: tuple(body(x).values()), x, use_reentrant=reentrant)).backward()
        # The reentrant one computes the loss without a tape.
        assert_near(by_name(body), expected, 1e-5)


def test_autocast_computes_in_float32(torch, pair):
    _, body = pair(norm_eval=True)
    loss_of(body(batch(torch).bfloat16().float())).backward()
    expected = by_name(body)
    body.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        x = batch(torch).bfloat16().requires_grad_()
        features = body(x)
    assert all(feature.dtype == torch.float32 for feature in features.values())
    loss_of(features).backward()
    assert_same(by_name(body), expected)
    assert x.grad.dtype == torch.bfloat16
    with pytest.raises(TypeError):
        body(batch(torch).bfloat16())


# ---- Optimisers ----


@pytest.mark.parametrize(
    "make",
    [
        lambda torch, p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=1e-2),
        lambda torch, p: torch.optim.AdamW(p, 1e-3),
        lambda torch, p: torch.optim.RMSprop(p, 1e-3),
        lambda torch, p: torch.optim.SGD(p, 0.05, foreach=False),
    ],
)
@pytest.mark.parametrize("options", [{}, {"frozen_stages": 1}], ids=str)
def test_losses_go_down_as_in_pytorch(torch, pair, make, options):
    losses = []
    for net in pair(**options):
        optimizer = make(torch, [parameter for parameter in net.parameters() if parameter.requires_grad])
        losses.append([])
        for step in range(6):
            optimizer.zero_grad(set_to_none=step % 2 == 0)
            loss = loss_of(net(batch(torch)))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            losses[-1].append(loss.item())
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-3)
    assert losses[1][-1] < losses[1][0]


def test_changes_reach_the_network_whichever_way_they_are_made(torch, pair):
    _, body = pair()
    x = batch(torch)

    def assert_seen():
        with torch.no_grad():
            body(x)
        for name, value in body.state_dict().items():
            assert np.array_equal(body._net.get_entry(name).data, value.numpy()), (body.training, name)

    weight = body.get_parameter("layer1.0.conv1.weight")
    for training in (False, True):
        body.train(training)
        for change in (
            lambda: weight.data.mul_(1.25),
            lambda: weight.detach().numpy().__imul__(1.25),
            lambda: weight.data.copy_(weight.data.flip(0)),
            lambda: weight.data.view(-1).mul_(0.75),
            lambda: setattr(weight, "data", weight.data * 1.25),
            lambda: weight.data.mul_(0.5),
        ):
            change()
            assert_seen()
    # A single value. Evaluation without grad mode looks at some values only.
    for place in [(0, 0, 0, 0), (3, 2, 1, 1), (7, 7, 2, 2)]:
        body.get_parameter("layer2.0.conv1.weight").data[place] += 1
        assert_seen()
    # Values that change places, which the sum of a parameter does not tell.
    for name, places in (("layer4.1.conv2.weight", [1, 2]), ("layer4.1.bn2.weight", [1, 3])):
        data = body.get_parameter(name).data
        assert not torch.equal(data[places[0]], data[places[1]])
        data[places] = data[places[::-1]]
        assert_seen()
    # Changed in training mode, before it is left.
    body.get_parameter("layer2.0.conv1.weight").data[5, 3, 1, 2] += 1
    body.eval()
    assert_seen()
    with torch.no_grad():
        for place in [(1, 1, 1, 1), (3, 2, 1, 1)]:
            body.get_parameter("layer2.0.conv1.weight")[place] += 1
            assert_seen()
        body.bn1.running_mean.add_(1)
        assert_seen()
        body.bn1.running_mean = body.bn1.running_mean + 1
        assert_seen()
        body.bn1.running_mean[3] += 1
        assert_seen()
        body.bn1.bias = torch.nn.Parameter(body.bn1.bias + 1)
        assert_seen()
    body.train()
    body.zero_grad()
    loss_of(body(x)).backward()
    assert body.bn1.bias.grad is not None and weight.grad is not None
    assert_seen()
    del body.bn1.bias
    with pytest.raises(RuntimeError, match="'bias' of this Backbone was removed"):
        body(x)


def test_statistics_of_averaged_weights(torch, pair):
    from torch.optim.swa_utils import AveragedModel, update_bn

    averaged = []
    for module in pair():
        average = AveragedModel(module)
        optimizer = torch.optim.SGD(module.parameters(), 0.05)
        for step in range(3):
            loss_of(module(batch(torch, f"averaged {step}"))).backward()
            optimizer.step()
            optimizer.zero_grad()
            average.update_parameters(module)
        averaged.append(average)
    model, body = averaged
    update_bn([batch(torch, "new")], model)
    before = body.module.bn1.running_mean.clone()
    assert body.module.collect_statistics([batch(torch, "new")]) == 1
    assert not torch.equal(body.module.bn1.running_mean, before)
    found = body.module.state_dict()
    for name, expected in model.module.state_dict().items():
        if "running" in name:
            assert float((found[name] - expected).abs().max()) < 1e-3 * float(expected.abs().max()), name
    body.eval()
    model.eval()
    with torch.no_grad():
        features = zip(body(batch(torch)).values(), model(batch(torch)), strict=True)
        for ours, theirs in features:
            assert float((ours - theirs).abs().max()) < 1e-3 * float(theirs.abs().max())
    with pytest.raises(ValueError):
        body.module.collect_statistics([])


# ---- A module like others ----


def test_parameters_and_buffers_are_those_of_the_model(torch, pair):
    model, body = pair(50)
    for names in ("named_parameters", "named_buffers"):
        ours, theirs = dict(getattr(body, names)()), dict(getattr(model, names)())
        assert [(n, v.shape, v.dtype) for n, v in ours.items()] == [(n, v.shape, v.dtype) for n, v in theirs.items()]
    assert all(parameter.is_leaf for parameter in body.parameters())
    assert list(body.state_dict()) == list(model.state_dict())
    assert isinstance(body.conv1.weight, torch.nn.Parameter) and "layer1" in dict(body.named_children())
    # What is returned shares memory with the module, as PyTorch's does.
    body.state_dict()["conv1.weight"].zero_()
    assert not body.conv1.weight.any()


def test_parts_compute_nothing(torch, pair):
    _, body = pair()
    for action in (lambda: body.layer1(batch(torch)), lambda: body.conv1(batch(torch))):
        with pytest.raises(RuntimeError, match="call the Backbone"):
            action()
    with pytest.raises(RuntimeError, match="norm_eval=True"):
        body.layer1.eval()
    body.layer1.train()
    assert not any(part.training for part in body.eval().modules())
    body.layer1.eval()


def test_freezing_sets_requires_grad(torch, pair):
    _, body = pair()
    body.layer3.requires_grad_(False)
    body.freeze(1)
    flags = {name.split(".")[0]: p.requires_grad for name, p in body.named_parameters()}
    expected = {"conv1": False, "bn1": False, "layer1": False, "layer2": True, "layer3": False, "layer4": True}
    assert flags == expected
    body.freeze(-1)
    flags = {name.split(".")[0]: p.requires_grad for name, p in body.named_parameters()}
    assert flags == {**expected, "conv1": True, "bn1": True, "layer1": True}
    body.freeze(1).requires_grad_(True)
    with pytest.raises(RuntimeError, match=r"conv1\.weight needs a gradient, but frozen_stages is 1.*freeze\(-1\)"):
        body(batch(torch))
    with torch.no_grad():
        body(batch(torch))


def test_loading_keeps_the_parameters(torch, pair):
    model, body = pair()
    parameters = [id(parameter) for parameter in body.parameters()]
    state = {name: value + 1 for name, value in model.state_dict().items()}
    assert str(body.load_state_dict(state)) == "<All keys matched successfully>"
    assert_same(body.state_dict(), state)
    assert [id(parameter) for parameter in body.parameters()] == parameters
    body.load_state_dict({name: value.double() for name, value in state.items()})
    with pytest.raises(RuntimeError, match="assign=False"):
        body.load_state_dict(state, assign=True)
    # A part by itself, by PyTorch's rules.
    body.bn1.load_state_dict({**body.bn1.state_dict(), "bias": torch.zeros(8)})
    with torch.no_grad():
        features = body(batch(torch))
    assert not body._net.get_entry("bn1.bias").data.any() and len(features) == 4
    with pytest.raises(RuntimeError, match="Missing key"):
        body.bn1.load_state_dict({})
    # What it has not seen, an average of models say, changes what it returns.
    for value in body.state_dict().values():
        if value.is_floating_point():
            value.mul_(0.5)
    body.eval()
    with torch.no_grad():
        assert not torch.equal(features["layer4"], body(batch(torch))["layer4"])


def test_moving_it_does_nothing(torch, pair):
    _, body = pair()
    before = copy.deepcopy(body.state_dict())
    whole = torch.nn.Sequential(body, torch.nn.Conv2d(8, 8, 1))
    pointers = [parameter.data_ptr() for parameter in body.parameters()]
    whole.half().double().to(torch.float32).to("meta").to(memory_format=torch.channels_last)
    assert whole[1].weight.device.type == "meta"
    assert [parameter.data_ptr() for parameter in body.parameters()] == pointers
    assert_same(body.state_dict(), before)
    body.share_memory()
    assert all(parameter.is_shared() for parameter in body.parameters())
    assert_same(body.state_dict(), before)
    loss_of(body(batch(torch))).backward()


def test_copies_are_trained_apart(torch, pair):
    _, body = pair(frozen_stages=1)
    body.layer3.requires_grad_(False)
    body.extra = torch.nn.Linear(2, 2)
    buffer = io.BytesIO()
    torch.save(body, buffer)
    buffer.seek(0)
    others = [
        copy.deepcopy(body),
        pickle.loads(pickle.dumps(body)),
        torch.load(buffer, weights_only=False),
    ]
    for other in others:
        assert_same(other.state_dict(), body.state_dict())
        flags = [parameter.requires_grad for parameter in other.parameters()]
        assert flags == [parameter.requires_grad for parameter in body.parameters()]
        loss_of(other(batch(torch))).backward()
        assert all(parameter.grad is None for parameter in body.parameters())
        assert other.conv1.weight.data_ptr() != body.conv1.weight.data_ptr()
    optimizer = torch.optim.SGD(body.parameters(), 0.1)
    module, copied = copy.deepcopy((body, optimizer))
    assert [id(p) for p in copied.param_groups[0]["params"]] == [id(p) for p in module.parameters()]
    # What is copied before the module trains the copy too.
    copied, module = copy.deepcopy((optimizer, body))
    assert [id(p) for p in copied.param_groups[0]["params"]] == [id(p) for p in module.parameters()]
    assert [p.requires_grad for p in module.parameters()] == [p.requires_grad for p in body.parameters()]
    before = copy.deepcopy(body.state_dict())
    first = loss_of(module(batch(torch)))
    first.backward()
    copied.step()
    assert loss_of(module(batch(torch))) < first
    weight = module.get_parameter("layer4.1.conv2.weight")
    assert np.array_equal(module._net.get_entry("layer4.1.conv2.weight").data, weight.detach().numpy())
    assert_same(body.state_dict(), before)


def test_state_dicts_go_to_files(torch, pair, tmp_path):
    _, body = pair()
    torch.save(body.state_dict(), tmp_path / "state.pth")
    assert_same(torch.load(tmp_path / "state.pth", weights_only=True), body.state_dict())
    from safetensors.torch import load_file, save_file

    save_file(body.state_dict(), tmp_path / "state.safetensors")
    loaded = load_file(tmp_path / "state.safetensors")
    assert_same(OrderedDict((name, loaded[name]) for name in body.state_dict()), body.state_dict())
    with torch.no_grad():
        body.conv1.weight.zero_()
    body.save_weights(tmp_path / "saved.pth")
    assert not torch.load(tmp_path / "saved.pth", weights_only=True)["conv1.weight"].any()


def test_modules_made_in_inference_mode(torch, Backbone):  # noqa: N803
    with torch.inference_mode():
        body = Backbone("resnet18", base_channels=4)
        body(batch(torch))
    loss_of(body(batch(torch))).backward()


def test_functional_call(torch, pair):
    _, body = pair(norm_eval=True)
    doubled = {name: value.detach() * 1.5 for name, value in body.named_parameters()}
    with torch.no_grad():
        plain = body(batch(torch))["layer4"]
        other = torch.func.functional_call(body, doubled, (batch(torch),))["layer4"]
        assert not torch.equal(plain, other)
        assert torch.equal(plain, body(batch(torch))["layer4"])
    values = {name: value.detach().clone().requires_grad_() for name, value in body.named_parameters()}
    loss_of(torch.func.functional_call(body, values, (batch(torch),))).backward()
    assert all(value.grad is not None for value in values.values())
    assert all(parameter.grad is None for parameter in body.parameters())


# ---- Several processes ----


def worker(rank, folder, state):
    import torch
    from torch_resnet import ResNet

    from backbone.torch import Backbone

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    try:
        # The weights of rank 0 are sent to the others.
        net = ResNet(18, 3, 8).train()
        if rank == 0:
            net.load_state_dict(state)
        train_distributed(torch, net, rank, f"{folder}/{False}-{rank}.pth")
        net = Backbone("resnet18", state if rank == 0 else None, base_channels=8, threads=1)
        train_distributed(torch, net, rank, f"{folder}/{True}-{rank}.pth")
    finally:
        torch.distributed.destroy_process_group()


def train_distributed(torch, net, rank, path):
    from torch.nn.parallel import DistributedDataParallel

    net = DistributedDataParallel(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9)
    for step in range(3):
        optimizer.zero_grad()
        loss_of(net(batch(torch, f"rank {rank} step {step}"))).backward()
        optimizer.step()
    torch.save(net.module.state_dict(), path)


def test_distributed_data_parallel(torch, pair, tmp_path):
    model, _ = pair()
    torch.multiprocessing.spawn(worker, (str(tmp_path), model.state_dict()), nprocs=2)
    states = {
        (is_ours, rank): torch.load(tmp_path / f"{is_ours}-{rank}.pth", weights_only=True)
        for is_ours in (False, True)
        for rank in (0, 1)
    }
    parameters = [name for name, _ in model.named_parameters()]
    assert_same(*({name: states[True, rank][name] for name in parameters} for rank in (0, 1)))
    for name, value in states[False, 0].items():
        torch.testing.assert_close(states[True, 0][name], value, rtol=1e-3, atol=1e-3, msg=name)
    assert all(not torch.equal(states[True, 0][name], model.state_dict()[name]) for name in parameters)
