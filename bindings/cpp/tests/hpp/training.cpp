/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Gradients, losses and steps are those of the C functions, bit for bit. */

#include "check.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <utility>

static const backbone::Shape batch_shape = {2, 3, 32, 32};
static const std::vector<std::int64_t> labels = {4, 1};

/// A network with a classifier of five classes, in training mode.
static Net make_net() {
    backbone::Options options;
    options.depth = 18;
    options.base_channels = 8;
    options.threads = 2;
    options.num_classes = 5;
    options.out_stages = BACKBONE_STAGE_C3 | BACKBONE_STAGE_LOGITS;
    Net net(options);
    net.set_training(true);
    return net;
}

static std::vector<float> make_batch() {
    std::vector<float> floats(2 * 3 * 32 * 32);
    for (std::size_t i = 0; i < floats.size(); i++) floats[i] = static_cast<float>(i * i % 251) / 64 - 2;
    return floats;
}

static bool same(const std::vector<float> &one, const std::vector<float> &other) {
    return one.size() == other.size() && std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0;
}

#define OK(...) CHECK((__VA_ARGS__) == BACKBONE_STATUS_OK)

struct Trained {
    std::vector<double> losses;
    std::vector<float> parameters;
};

static backbone_optimizer_options momentum(const backbone_parameter_group *group) {
    backbone_optimizer_options options;
    OK(backbone_optimizer_options_init(&options, sizeof options, BACKBONE_OPTIMIZER_SGD));
    options.momentum = 0.9;
    options.weight_decay = 1e-4;
    options.groups = group;
    options.group_count = 1;
    return options;
}

/// Three steps on one batch with the functions of C alone.
static Trained train_in_c(const backbone_parameter_group &group) {
    const Net owner = make_net();
    ::backbone *net = const_cast<::backbone *>(owner.c());
    backbone_tape *tape = nullptr;
    backbone_optimizer *optimizer = nullptr;
    const backbone_optimizer_options options = momentum(&group);
    OK(backbone_tape_create(net, nullptr, &tape));
    OK(backbone_optimizer_create(net, &options, &optimizer));
    std::vector<float> batch = make_batch(), c3(2 * 16 * 4 * 4), logits(10), gradient(10);
    const backbone_tensor input = {batch.data(), BACKBONE_DTYPE_FLOAT32, 0, {2, 3, 32, 32}, {3072, 1024, 32, 1}};
    const backbone_tensor outputs[2] = {
        {c3.data(), BACKBONE_DTYPE_FLOAT32, 0, {2, 16, 4, 4}, {256, 16, 4, 1}},
        {logits.data(), BACKBONE_DTYPE_FLOAT32, 0, {2, 5, 1, 1}, {5, 1, 1, 1}},
    };
    backbone_tensor gradients[2] = {outputs[0], outputs[1]};
    gradients[0].data = nullptr;
    gradients[1].data = gradient.data();
    std::size_t count = 0;
    OK(backbone_trainable_count(net, &count));
    std::vector<float> all(count);
    Trained result;
    for (int i = 0; i < 3; i++) {
        double loss = 0, norm = 0;
        OK(backbone_forward_train(net, tape, &input, outputs, 2));
        OK(backbone_cross_entropy(&outputs[1], labels.data(), 2, 0.1, &loss, &gradients[1]));
        OK(backbone_backward(net, tape, gradients, 2, nullptr, all.data(), count, 0));
        OK(backbone_clip_gradients(net, all.data(), count, 1, &norm));
        OK(backbone_optimizer_step(net, optimizer, all.data(), count, 0.05, 0));
        result.losses.push_back(loss);
        result.losses.push_back(norm);
    }
    result.parameters.resize(count);
    OK(backbone_read_trainable(net, result.parameters.data(), count));
    backbone_optimizer_free(optimizer);
    backbone_tape_free(tape);
    return result;
}

void training_equals_that_of_c() {
    const backbone_parameter_group group = {"fc.", BACKBONE_PARAMETERS_WEIGHTS, 0, 2.0, 0.0};
    const Trained of_c = train_in_c(group);
    CHECK(of_c.losses[0] > 0 && of_c.losses[0] != of_c.losses[2] && of_c.losses[2] != of_c.losses[4]);

    Net net = make_net();
    backbone::Tape tape(net);
    backbone::OptimizerOptions options;
    CHECK(options.kind == BACKBONE_OPTIMIZER_SGD && options.weight_decay == 0);
    CHECK(backbone::OptimizerOptions(BACKBONE_OPTIMIZER_ADAMW).weight_decay == 1e-2);
    options.momentum = 0.9;
    options.weight_decay = 1e-4;
    const std::vector<backbone_parameter_group> groups = {group};
    options.set_groups(groups);
    backbone::Optimizer optimizer(net, options);
    const std::vector<float> batch = make_batch();
    const backbone::ConstTensor images(batch.data(), batch_shape);
    std::vector<float> gradients(net.trainable_count()), first = net.read_trainable();
    std::vector<double> losses;
    backbone::Features outputs;
    CHECK(net.tape_bytes(tape) == 0);
    for (int i = 0; i < 3; i++) {
        net.forward_train(tape, images, outputs);
        CHECK(outputs.size() == 2 && outputs[1].shape() == backbone::Shape{2, 5, 1, 1} && net.tape_bytes(tape) > 0);
        const backbone::Tensor logits = outputs[1];
        CHECK(backbone::cross_entropy(logits, labels, 0.1) > 0);
        losses.push_back(backbone::cross_entropy(logits, labels, logits, 0.1)); // its gradient takes its memory
        const std::vector<backbone::Tensor> output_gradients = {backbone::Tensor(), logits};
        net.backward(tape, output_gradients, gradients);
        losses.push_back(net.clip_gradients(gradients, 1));
        net.step(optimizer, gradients, 0.05);
    }
    CHECK(losses == of_c.losses && same(net.read_trainable(), of_c.parameters) && !same(first, of_c.parameters));

    // The vector of all parameters has the entries one after another.
    const std::size_t index = net.find("layer4.0.conv1.weight");
    const backbone::Slot slot = net.trainable_slot(index);
    const std::vector<float> all = net.read_trainable(), entry = net.read("layer4.0.conv1.weight");
    CHECK(slot.count == entry.size() && slot.offset > 0);
    CHECK(std::memcmp(all.data() + slot.offset, entry.data(), 4 * entry.size()) == 0);
    CHECK(net.trainable_slot(net.find("bn1.running_mean")).count == 0);
    net.write_trainable(first);
    CHECK(same(net.read_trainable(), first));

    // In memory of the caller: what one writes there the other has.
    std::vector<float> memory = all;
    net.bind_parameters(memory);
    CHECK(same(net.read_trainable(), all));
    net.step(optimizer, gradients, 0.05);
    CHECK(same(net.read_trainable(), memory) && !same(memory, all));
    net.forward_train(tape, images, outputs);
    memory[slot.offset] += 1;
    net.parameters_changed(backbone::Span<const std::size_t>(&index, 1));
    net.parameters_changed();
    CHECK(net.read("layer4.0.conv1.weight")[0] == memory[slot.offset]);
    CHECK_THROWS(BACKBONE_STATUS_STALE, "weights", net.backward(tape, outputs.outputs(), gradients));
    net.bind_parameters({nullptr, 0});
    memory.assign(memory.size(), 0);
    CHECK(net.read("layer4.0.conv1.weight")[0] != 0);
}

void gradients_are_missing_added_and_of_inputs() {
    Net net = make_net();
    backbone::TapeOptions options;
    CHECK(options.input_gradient == 0 && options.retain == 0);
    options.input_gradient = options.retain = 1;
    backbone::Tape tape(net, options);
    const std::vector<float> batch = make_batch();
    const backbone::Features outputs = net.forward_train(tape, backbone::ConstTensor(batch.data(), batch_shape));
    const std::vector<backbone::ConstTensor> both = {outputs[0], outputs[1]}, one = {outputs[0], {}},
                                             other = {{}, outputs[1]};
    std::vector<float> once(net.trainable_count()), sum(once), of_input(batch.size());
    const backbone::Tensor input_gradient(of_input.data(), batch_shape);
    net.backward(tape, both, once, false, &input_gradient);
    net.backward(tape, one, sum);
    net.backward(tape, other, sum, true);
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < sum.size(); i++) {
        difference += std::fabs(double(once[i]) - double(sum[i]));
        size += std::fabs(double(once[i]));
    }
    CHECK(size > 0 && difference < 1e-4 * size);
    float largest = 0;
    for (float value : of_input) largest = std::max(largest, std::fabs(value));
    CHECK(largest > 0);

    // The gradient of the input alone.
    std::vector<float> again(batch.size());
    const backbone::Tensor second(again.data(), batch_shape);
    net.backward(tape, both, {nullptr, 0}, false, &second);
    CHECK(same(again, of_input));
    CHECK_THROWS(INVALID, "count", net.backward(tape, std::vector<backbone::Tensor>(1), once));
    backbone::Tape without(net);
    (void)net.forward_train(without, backbone::ConstTensor(batch.data(), batch_shape));
    CHECK_THROWS(INVALID, "input_gradient", net.backward(without, both, once, false, &second));
}

void stale_and_not_finite_are_exceptions() {
    Net net = make_net();
    backbone::Tape tape(net);
    backbone::Optimizer optimizer(net, backbone::OptimizerOptions(BACKBONE_OPTIMIZER_ADAMW));
    const std::vector<float> batch = make_batch();
    const backbone::ConstTensor images(batch.data(), batch_shape);
    backbone::Features outputs = net.forward_train(tape, images);
    std::vector<float> gradients(net.trainable_count());
    net.init_weights(1);
    CHECK_THROWS(BACKBONE_STATUS_STALE, "", net.backward(tape, outputs.outputs(), gradients));
    Net elsewhere = make_net();
    CHECK_THROWS(BACKBONE_STATUS_STALE, "", elsewhere.forward_train(tape, images));
    CHECK_THROWS(BACKBONE_STATUS_STALE, "", elsewhere.step(optimizer, gradients, 0.1));
    net.set_trainable(BACKBONE_TRAINABLE_HEAD);
    gradients.resize(net.trainable_count());
    CHECK(gradients.size() == 5 * 64 + 5);
    CHECK_THROWS(BACKBONE_STATUS_STALE, "", net.step(optimizer, gradients, 0.1));
    net.follow(optimizer);
    const std::vector<float> before = net.read_trainable();
    gradients[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS(BACKBONE_STATUS_NOT_FINITE, "fc.weight", net.step(optimizer, gradients, 0.1));
    CHECK(same(net.read_trainable(), before));
    net.step(optimizer, gradients, 0.1, true);
    CHECK(std::isnan(net.read_trainable()[7]));
    CHECK_THROWS(INVALID, "", backbone::cross_entropy(outputs[1], std::vector<std::int64_t>{0, 5}));
    CHECK_THROWS(INVALID, "", net.set_trainable(3));
}

void training_is_saved_and_loaded(const std::filesystem::path &folder) {
    const std::filesystem::path path = folder / "training.pth";
    const std::vector<float> batch = make_batch();
    const backbone::ConstTensor images(batch.data(), batch_shape);
    backbone::OptimizerOptions options;
    options.momentum = 0.9;
    const auto step = [&](Net &net, backbone::Optimizer &optimizer) {
        backbone::Tape tape(net);
        backbone::Features outputs = net.forward_train(tape, images);
        std::vector<float> gradients(net.trainable_count());
        net.backward(tape, outputs.outputs(), gradients);
        net.step(optimizer, gradients, 0.01);
    };
    Net net = make_net(), resumed = make_net();
    backbone::Optimizer optimizer(net, options), other(resumed, options);
    step(net, optimizer);
    net.save_training(optimizer, path, 0.01);
    const backbone::Report report = resumed.load_training(other, path);
    CHECK(std::strstr(report.property(BACKBONE_REPORT_OPTIMIZER), "optimizer state") != nullptr);
    step(net, optimizer);
    step(resumed, other);
    CHECK(same(net.read_trainable(), resumed.read_trainable()));
    backbone::Optimizer adam(resumed, backbone::OptimizerOptions(BACKBONE_OPTIMIZER_ADAMW));
    CHECK_THROWS(BACKBONE_STATUS_MISMATCH, "", resumed.load_training(adam, path));
}

void gradients_of_features_equal_those_of_c() {
    Net net = make_net();
    const std::vector<float> batch = make_batch();
    const backbone::ConstTensor images(batch.data(), batch_shape);
    backbone::TapeOptions options;
    options.retain = 1;
    backbone::Tape tape(net, options);
    const backbone::Features outputs = net.forward_train(tape, images);
    const std::vector<float> seed = {1, -2, 3, 0, 0.5F, 0, 0, 1, 0, -1};
    const std::vector<backbone::ConstTensor> given = {backbone::ConstTensor(),
                                                      backbone::ConstTensor(seed.data(), outputs[1].shape())};
    std::vector<float> of_c3(2 * 16 * 4 * 4, -7), of_c(of_c3.size(), -8);
    const backbone::Tensor c3(of_c3.data(), outputs[0].shape());
    net.feature_gradients(tape, given, std::vector<backbone::Tensor>{c3, backbone::Tensor()});
    const backbone_tensor gradients[2] = {given[0].c(), given[1].c()};
    backbone_tensor features[2] = {c3.c(), {}};
    features[0].data = of_c.data();
    OK(backbone_feature_gradients(net.c(), tape.c(), gradients, 2, features));
    CHECK(same(of_c3, of_c) && of_c3[0] != -7);
    CHECK_THROWS(INVALID, "1 feature_gradients", net.feature_gradients(tape, given, std::vector<backbone::Tensor>{c3}));
}

void statistics_equal_those_of_c() {
    Net net = make_net(), of_c = make_net();
    const std::vector<float> batch = make_batch();
    const backbone::ConstTensor images(batch.data(), batch_shape);
    net.begin_statistics();
    net.add_statistics(images);
    net.cancel_statistics();
    CHECK(same(net.read("bn1.running_mean"), of_c.read("bn1.running_mean")));
    net.begin_statistics();
    net.add_statistics(images);
    net.commit_statistics();
    OK(backbone_statistics_begin(of_c.c()));
    OK(backbone_statistics_add(of_c.c(), &images.c()));
    OK(backbone_statistics_commit(of_c.c()));
    CHECK(same(net.read("layer4.1.bn2.running_var"), of_c.read("layer4.1.bn2.running_var")));
    CHECK(net.read("bn1.running_mean") != make_net().read("bn1.running_mean"));
    CHECK_THROWS(INVALID, "", net.add_statistics(images));
}

void tapes_and_optimizers_are_freed_in_any_order() {
    const std::vector<float> batch = make_batch();
    for (const bool net_first : {false, true}) {
        auto net = std::make_unique<Net>(make_net());
        auto tape = std::make_unique<backbone::Tape>(*net);
        auto optimizer = std::make_unique<backbone::Optimizer>(*net);
        (void)net->forward_train(*tape, backbone::ConstTensor(batch.data(), batch_shape));
        if (net_first) net.reset();
        tape.reset();
        optimizer.reset();
    }
    Net net = make_net();
    backbone::Tape first(net);
    backbone::Tape second = std::move(first);
    CHECK(first.c() == nullptr && second.c() != nullptr);
    CHECK_THROWS(INVALID, "", net.tape_bytes(first));
    first = std::move(second);
    CHECK(net.tape_bytes(first) == 0);
}
