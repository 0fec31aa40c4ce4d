/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Features, shapes and profiles are those of the C functions, bit for bit. */

#include "check.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

/// What C computes: all outputs, one after another.
static std::vector<float> features_of_c(::backbone *net, const backbone_tensor &input, std::size_t count = 4) {
    std::int64_t shapes[7][4] = {};
    CHECK(backbone_output_shapes(net, input.shape, shapes[0], count) == BACKBONE_STATUS_OK);
    std::int64_t total = 0;
    for (auto &s : shapes) total += s[0] * s[1] * s[2] * s[3];
    std::vector<float> values(static_cast<std::size_t>(total), -1.0f);
    backbone_tensor outputs[7] = {};
    float *next = values.data();
    for (std::size_t i = 0; i < count; i++) {
        const auto &s = shapes[i];
        const std::int64_t plane = s[2] * s[3];
        outputs[i] = {next, BACKBONE_DTYPE_FLOAT32, 0, {s[0], s[1], s[2], s[3]}, {s[1] * plane, plane, s[3], 1}};
        next += s[0] * s[1] * plane;
    }
    CHECK(backbone_forward(net, &input, outputs, count) == BACKBONE_STATUS_OK);
    return values;
}

static bool same(const backbone::Features &features, const std::vector<float> &expected) {
    std::size_t position = 0;
    for (std::size_t i = 0; i < features.size(); i++) {
        const backbone::Shape s = features[i].shape();
        for (std::int64_t n = 0; n < s[0]; n++)
            for (std::int64_t c = 0; c < s[1]; c++)
                for (std::int64_t h = 0; h < s[2]; h++)
                    for (std::int64_t w = 0; w < s[3]; w++, position++)
                        if (std::memcmp(&features[i](n, c, h, w), &expected[position], 4) != 0) return false;
    }
    return position == expected.size() && features.size() > 0;
}

/// Not all zero, so that equality means something.
static bool says_something(const std::vector<float> &values) {
    for (float value : values)
        if (value > 0) return true;
    return false;
}

void all_outputs_equal_those_of_c() {
    const std::vector<float> floats = make_floats();
    const backbone::ConstTensor image(floats.data(), image_shape);
    // The second network has three stages: C5 is not one of its outputs.
    for (const char *name : {"seresnet18", "resnet20"}) {
        backbone::Options options = small_options();
        options.architecture = name;
        options.depth = 0;
        options.base_channels = 16;
        options.out_stages = BACKBONE_STAGE_ALL | BACKBONE_STAGE_C1 | BACKBONE_STAGE_POOLED | BACKBONE_STAGE_LOGITS;
        options.num_classes = 5;
        Net net(options);
        const std::size_t count = std::strcmp(name, "resnet20") == 0 ? 6 : 7;
        const std::vector<float> of_c = features_of_c(net.c(), image.c(), count);
        const backbone::Features outputs = net.forward(image);
        CHECK(net.stage_count() == count && outputs.size() == count);
        CHECK(says_something(of_c) && same(outputs, of_c));

        // The logits once more: the pooled vector through the classifier, whose biases are 0 at first.
        const std::vector<float> weights = net.read("fc.weight");
        const backbone::ConstTensor pooled = outputs[count - 2], logits = outputs[count - 1];
        const std::int64_t channels = pooled.shape()[1];
        CHECK(logits.shape() == backbone::Shape{2, 5, 1, 1} && weights.size() == std::size_t(5 * channels));
        for (std::int64_t n = 0; n < 2; n++)
            for (std::int64_t k = 0; k < 5; k++) {
                double sum = 0, size = 0;
                for (std::int64_t c = 0; c < channels; c++) {
                    const double product = double(weights[std::size_t(k * channels + c)]) * double(pooled(n, c, 0, 0));
                    sum += product;
                    size += product < 0 ? -product : product;
                }
                const double error = double(logits(n, k, 0, 0)) - sum;
                CHECK(size > 0 && error < 1e-5 * size && -error < 1e-5 * size);
            }
    }
}

void forwards_equal_those_of_c() {
    Net net(small_options());
    const std::vector<float> floats = make_floats();
    const std::vector<std::uint8_t> bytes = make_bytes();
    const backbone_tensor c_floats = {const_cast<float *>(floats.data()), BACKBONE_DTYPE_FLOAT32, 0, {2, 3, 40, 37},
                                      {3 * 40 * 37, 40 * 37, 37, 1}};
    const backbone_tensor c_bytes = {const_cast<std::uint8_t *>(bytes.data()), BACKBONE_DTYPE_UINT8, 0, {2, 3, 40, 37},
                                     {3 * 40 * 37, 1, 3 * 37, 3}};
    const std::vector<float> of_floats = features_of_c(net.c(), c_floats), of_bytes = features_of_c(net.c(), c_bytes);
    CHECK(says_something(of_floats) && says_something(of_bytes) && of_floats != of_bytes);

    const backbone::ConstTensor image(floats.data(), image_shape);
    const backbone::Pixels pixels(bytes.data(), image_shape, backbone::nhwc(image_shape));
    CHECK(same(net.forward(image), of_floats));
    CHECK(same(net.forward(pixels), of_bytes));
    CHECK(same(net.forward(c_bytes), of_bytes)); // C's own description

    // Rows with room after them, as those of a cv::Mat.
    constexpr std::int64_t columns = 3 * 37, row_stride = 128;
    std::vector<std::uint8_t> padded(static_cast<std::size_t>(2 * 40 * row_stride), 255);
    for (std::int64_t row = 0; row < 2 * 40; row++)
        std::copy_n(bytes.data() + row * columns, columns, padded.data() + row * row_stride);
    CHECK(same(net.forward(backbone::Pixels(padded.data(), image_shape, backbone::nhwc(image_shape, row_stride))),
               of_bytes));

    // Memory of before is used again.
    backbone::Features features = net.forward(image);
    const float *memory = features[0].data();
    net.forward(pixels, features);
    CHECK(features[0].data() == memory && same(features, of_bytes));
    const backbone::Features moved = std::move(features);
    CHECK(moved[0].data() == memory && same(moved, of_bytes));

    // In the caller's memory, channels innermost, and with room between the pixels that stays as it was.
    std::vector<std::vector<float>> buffers;
    std::vector<backbone::Tensor> outputs;
    for (const backbone::Shape &s : net.output_shapes(image_shape)) {
        const std::int64_t pixel = s[1] + 1;
        buffers.emplace_back(static_cast<std::size_t>(s[0] * s[2] * s[3] * pixel), -7.0f);
        outputs.emplace_back(buffers.back().data(), s, backbone::Shape{s[2] * s[3] * pixel, 1, s[3] * pixel, pixel});
    }
    net.forward(image, outputs);
    const backbone::Features expected = net.forward(image);
    for (std::size_t i = 0; i < 4; i++) {
        const backbone::Shape s = outputs[i].shape();
        bool equal = true;
        for (std::int64_t n = 0; n < s[0]; n++)
            for (std::int64_t h = 0; h < s[2]; h++)
                for (std::int64_t w = 0; w < s[3]; w++) {
                    for (std::int64_t c = 0; c < s[1]; c++)
                        equal = equal && outputs[i](n, c, h, w) == expected[i](n, c, h, w);
                    equal = equal && outputs[i](n, s[1], h, w) == -7.0f;
                }
        CHECK(equal);
    }
}

void shapes_and_views() {
    Net net(small_options());
    std::int64_t c[4][4];
    CHECK(backbone_output_shapes(net.c(), image_shape.data(), c[0], 4) == BACKBONE_STATUS_OK);
    const backbone::Shapes shapes = net.output_shapes(image_shape);
    CHECK(shapes.size() == 4 && net.stage_count() == 4);
    for (std::size_t i = 0; i < 4; i++) CHECK(std::memcmp(shapes[i].data(), c[i], sizeof c[i]) == 0);

    CHECK(backbone::nchw({2, 3, 5, 7}) == backbone::Shape{105, 35, 7, 1});
    CHECK(backbone::nhwc({2, 3, 5, 7}) == backbone::Shape{105, 1, 21, 3});
    CHECK(backbone::nhwc({2, 3, 5, 7}, 32) == backbone::Shape{160, 1, 32, 3});
    float values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const backbone::Tensor planes(values, {1, 2, 3, 2}), pixels(values, {1, 2, 3, 2}, backbone::nhwc({1, 2, 3, 2}));
    CHECK(planes(0, 1, 2, 0) == 10 && pixels(0, 1, 2, 0) == 9);
    planes(0, 1, 2, 0) = 20;
    CHECK(backbone::ConstTensor(planes)(0, 1, 2, 0) == 20 && values[10] == 20);
    CHECK(planes.c().dtype == BACKBONE_DTYPE_FLOAT32 && planes.strides() == backbone::Shape{12, 6, 2, 1});
    CHECK(backbone::Tensor().data() == nullptr && backbone::Tensor().shape() == backbone::Shape{});
    float total = 0;
    for (float value : backbone::Span<const float>(values)) total += value;
    CHECK(total == 76 && backbone::Span<float>(values, 3).size() == 3 && backbone::Span<float>(values)[2] == 2);

    // Stages that are not asked for have no feature.
    backbone::Options options = small_options();
    options.out_stages = BACKBONE_STAGE_C3 | BACKBONE_STAGE_C4;
    Net two(options);
    const std::vector<float> floats = make_floats();
    const backbone::Features features = two.forward(backbone::ConstTensor(floats.data(), image_shape));
    const backbone::Features all = net.forward(backbone::ConstTensor(floats.data(), image_shape));
    CHECK(two.stage_count() == 2 && features.size() == 2 && features[1].shape() == all[2].shape());
    CHECK(features[1](1, 3, 2, 1) == all[2](1, 3, 2, 1));
}

void warnings_are_those_of_c() {
    backbone::Options options = small_options();
    options.mean = backbone::imagenet_mean;
    options.std_dev = backbone::imagenet_std_dev;
    Net net(options);
    const std::vector<std::uint8_t> bytes = make_bytes();
    const std::vector<float> floats(bytes.begin(), bytes.end());
    net.forward(backbone::Pixels(bytes.data(), image_shape, backbone::nhwc(image_shape)));
    CHECK(net.warnings().empty());
    net.forward(backbone::ConstTensor(floats.data(), image_shape, backbone::nhwc(image_shape)));
    const std::vector<std::string> found = std::as_const(net).warnings();
    const char *text = nullptr;
    CHECK(backbone_get_warning(net.c(), 0, &text) == BACKBONE_STATUS_OK);
    CHECK(found.size() == 1 && found[0] == text && found[0].find("were not applied") != std::string::npos);
    // With the same formula for floats it does not warn, and the features are those of the bytes.
    options.normalization = BACKBONE_NORMALIZE_ALL;
    Net all(options);
    CHECK(all.options().normalization == BACKBONE_NORMALIZE_ALL);
    const backbone::Features a = all.forward(backbone::Pixels(bytes.data(), image_shape, backbone::nhwc(image_shape)));
    const backbone::Features b =
        all.forward(backbone::ConstTensor(floats.data(), image_shape, backbone::nhwc(image_shape)));
    CHECK(a[3](1, 3, 1, 1) == b[3](1, 3, 1, 1) && a[0](0, 1, 5, 7) == b[0](0, 1, 5, 7) && all.warnings().empty());
}

void profiles_have_all_layers() {
    Net net(small_options());
    const std::vector<float> floats = make_floats();
    const backbone::ConstTensor image(floats.data(), image_shape);
    backbone::Features features = net.forward(image), measured = net.forward(image);
    for (std::size_t i = 0; i < 4; i++) measured[i](0, 0, 0, 0) = -1;
    const std::vector<backbone_layer> layers = net.profile(image, measured.outputs());
    std::size_t count = 0;
    const backbone_tensor *outputs = &features.outputs()[0].c();
    CHECK(backbone_profile(net.c(), &image.c(), outputs, 4, nullptr, 0, &count) == BACKBONE_STATUS_OK);
    std::vector<backbone_layer> c(count);
    CHECK(backbone_profile(net.c(), &image.c(), outputs, 4, c.data(), count, &count) == BACKBONE_STATUS_OK);
    CHECK(layers.size() == count && count > 20);
    for (std::size_t i = 0; i < count && i < layers.size(); i++) {
        CHECK(std::strcmp(layers[i].name, c[i].name) == 0 && layers[i].kernel == c[i].kernel);
        CHECK(layers[i].operations == c[i].operations && layers[i].bytes == c[i].bytes && layers[i].nanoseconds >= 0);
    }
    for (std::size_t i = 0; i < 4; i++) CHECK(measured[i](0, 0, 0, 0) == features[i](0, 0, 0, 0));
}

void cancel_ends_calls_in_progress() {
    Net net(small_options());
    const std::vector<float> floats = make_floats();
    const backbone::ConstTensor image(floats.data(), image_shape);
    net.cancel();
    backbone::Features features = net.forward(image);
    std::atomic<bool> is_over(false);
    std::thread canceller([&] {
        while (!is_over) {
            net.cancel();
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
    });
    int status = BACKBONE_STATUS_OK;
    // One is short; among many some are met by a cancel.
    for (int i = 0; i < 1000000 && status == BACKBONE_STATUS_OK; i++) {
        try {
            net.forward(image, features);
        } catch (const backbone::Error &error) {
            status = error.status();
        }
    }
    is_over = true;
    canceller.join();
    CHECK(status == BACKBONE_STATUS_CANCELLED);
}
