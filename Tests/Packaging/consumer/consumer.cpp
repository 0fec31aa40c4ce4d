/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Computes the features of a stored case (see write_case.py) and compares them with PyTorch's.
 *
 * Usage: consumer-cpp FOLDER
 */

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <backbone.hpp>

static std::string read_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(path + ": cannot open it");
    return std::string(std::istreambuf_iterator<char>(file), {});
}

static std::vector<float> read_floats(const std::string &path) {
    const std::string bytes = read_file(path);
    std::vector<float> values(bytes.size() / sizeof(float));
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char *>(values.data()));
    return values;
}

/// The largest error relative to the largest value; NaN if one value is NaN.
static double relative_error(backbone::ConstTensor actual, const std::vector<float> &expected) {
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < expected.size(); i++) {
        largest = std::max(largest, std::fabs(double{expected[i]}));
        const double difference = std::fabs(double{actual.data()[i]} - double{expected[i]});
        if (!(difference <= error)) error = difference;
    }
    return error / largest;
}

static int run(const std::string &folder) {
    backbone::Options options;
    options.mean = backbone::imagenet_mean;
    options.std_dev = backbone::imagenet_std_dev;
    options.channel_order = BACKBONE_CHANNELS_REVERSED;
    auto net = backbone::Backbone::from_file(folder + "/model.pth", options);

    const backbone::Shape shape = {1, 3, 33, 65};
    const std::string bytes = read_file(folder + "/pixels");
    const std::vector<std::uint8_t> pixels(bytes.begin(), bytes.end());
    if (pixels.size() != 33 * 65 * 3) throw std::runtime_error(folder + "/pixels is of another size");
    const backbone::Features features = net.forward(backbone::Pixels(pixels.data(), shape, backbone::nhwc(shape)));

    const double bounds[] = {5e-5, 1e-4, 1e-4, 3e-4}; // of BACKBONE_ARITHMETIC_FAST
    bool good = features.size() == 4;
    for (std::size_t i = 0; i < features.size(); i++) {
        const std::string name = "C" + std::to_string(i + 2);
        const std::vector<float> expected = read_floats(folder + "/" + name);
        const backbone::Shape size = features[i].shape();
        if (size[0] * size[1] * size[2] * size[3] != std::int64_t(expected.size())) {
            throw std::runtime_error(name + " has another number of values than what is stored");
        }
        const double error = relative_error(features[i], expected);
        std::printf("%s: error %.1e\n", name.c_str(), error);
        if (!(error <= bounds[i])) good = false;
    }
    return good ? 0 : 1;
}

int main(int argc, char **argv) {
    try {
        if (argc == 2) return run(argv[1]);
        std::fprintf(stderr, "Usage: consumer-cpp FOLDER\n");
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
    }
    return 2;
}
