/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * A small one-stage detector on the features C3, C4 and C5: what a detector adds to a backbone.
 *
 *     c++ -std=c++17 -O2 detector.cpp $(pkg-config --cflags --libs backbone) -o detector
 *     djpeg photo.jpg > photo.ppm
 *     ./detector photo.ppm --weights resnet18.pth --draw boxes.ppm
 *
 * Neck    Each feature goes through a 1x1 convolution to 16 channels. From the coarsest down, each result is enlarged
 *         to the size of the next finer one (nearest neighbour) and added to it.
 * Head    Anchor-free, shared by all levels: at each location a 1x1 convolution gives one logit for each of 3 classes,
 *         another one the logarithms of the distances from the middle of the location to the left, top, right and
 *         bottom edge of a box, in units of the level's stride.
 * Boxes   Scores above a threshold, the 200 best of them, less those that overlap a better box of their class.
 *
 * The weights of neck and head are random, from a seed: the boxes mean nothing. Read trained ones in their place.
 */

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <backbone.hpp>

static const char usage[] =
    "Usage: detector IMAGE.ppm [options]\n"
    "\n"
    "Prints class, score, and left, top, right and bottom edge of each box.\n"
    "\n"
    "  --weights FILE    the backbone: a PyTorch .pth or a safetensors file; without it a random ResNet-18\n"
    "  --seed N          of the random weights of neck and head (default 1)\n"
    "  --threshold X     the lowest score, from 0 to 1 (default 0.9)\n"
    "  --draw OUT.ppm    also writes the image with the boxes on it\n";

/* ---- Images ----------------------------------------------------------------------------------------------------- */

struct Image {
    std::int64_t height, width;
    std::vector<std::uint8_t> pixels; // height x width x 3, RGB
};

static Image read_ppm(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(path + ": cannot open it");
    std::string magic;
    Image image{};
    int largest = 0;
    file >> magic >> image.width >> image.height >> largest;
    file.get(); // the one blank before the pixels
    const std::int64_t limit = 1 << 15;
    if (!file || magic != "P6" || largest != 255 || image.width < 1 || image.width > limit || image.height < 1 ||
        image.height > limit) {
        throw std::runtime_error(path + ": not a binary PPM of 8 bits, without comments, of at most 32768 x 32768");
    }
    image.pixels.resize(static_cast<std::size_t>(image.width * image.height * 3));
    file.read(reinterpret_cast<char *>(image.pixels.data()), static_cast<std::streamsize>(image.pixels.size()));
    if (!file) throw std::runtime_error(path + ": ends before its last pixel");
    return image;
}

static void write_ppm(const std::string &path, const Image &image) {
    std::ofstream file(path, std::ios::binary);
    file << "P6\n" << image.width << " " << image.height << "\n255\n";
    file.write(reinterpret_cast<const char *>(image.pixels.data()), static_cast<std::streamsize>(image.pixels.size()));
    if (!file.flush()) throw std::runtime_error(path + ": cannot write it");
}

/* ---- Neck ------------------------------------------------------------------------------------------------------- */

/// The same numbers from a seed on every machine (SplitMix64), uniform in ±scale.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    float uniform(double scale) {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;
        return static_cast<float>((std::ldexp(static_cast<double>(z >> 40), -23) - 1) * scale);
    }

private:
    std::uint64_t state_;
};

/// A 1x1 convolution without bias; out_channels x in_channels, of a variance that keeps that of its input.
struct Convolution {
    std::int64_t out_channels, in_channels;
    std::vector<float> weight;

    Convolution(std::int64_t out, std::int64_t in, Random &random) : out_channels(out), in_channels(in) {
        for (std::int64_t i = 0; i < out * in; i++) {
            weight.push_back(random.uniform(std::sqrt(3.0 / static_cast<double>(in))));
        }
    }

    /// One value of the output.
    float at(backbone::ConstTensor input, std::int64_t channel, std::int64_t y, std::int64_t x) const {
        float sum = 0;
        for (std::int64_t c = 0; c < in_channels; c++) {
            sum += weight[static_cast<std::size_t>(channel * in_channels + c)] * input(0, c, y, x);
        }
        return sum;
    }
};

static const std::int64_t width_of_neck = 16;

/// A level of the pyramid: values, and how to see them as a tensor.
struct Level {
    std::int64_t stride;
    backbone::Shape shape; // 1, 16, height, width
    std::vector<float> values;

    backbone::ConstTensor view() const { return {values.data(), shape}; }
};

/// P3, P4, P5 of C3, C4, C5; `coarser` levels are made first, since finer ones are added to them.
static std::vector<Level> make_pyramid(const backbone::Features &features, const std::vector<Convolution> &laterals) {
    std::vector<Level> levels(features.size());
    for (std::size_t i = features.size(); i-- > 0;) {
        const backbone::Shape shape = {1, width_of_neck, features[i].shape()[2], features[i].shape()[3]};
        levels[i] = {std::int64_t{8} << i, shape, {}};
        for (std::int64_t c = 0; c < shape[1]; c++)
            for (std::int64_t y = 0; y < shape[2]; y++)
                for (std::int64_t x = 0; x < shape[3]; x++) {
                    float value = laterals[i].at(features[i], c, y, x);
                    if (i + 1 < levels.size()) {
                        const Level &coarser = levels[i + 1];
                        value += coarser.view()(0, c, y * coarser.shape[2] / shape[2], x * coarser.shape[3] / shape[3]);
                    }
                    levels[i].values.push_back(value);
                }
    }
    return levels;
}

/* ---- Head and boxes --------------------------------------------------------------------------------------------- */

struct Box {
    int label;
    float score;
    std::array<float, 4> edges; // left, top, right, bottom, in pixels of the image
};

static const int classes = 3;

/// All boxes of a level with a score above the threshold.
static void decode(const Level &level, const Convolution &logits, const Convolution &distances, const Image &image,
                   float threshold, std::vector<Box> &boxes) {
    const auto stride = static_cast<float>(level.stride);
    const float right = static_cast<float>(image.width), bottom = static_cast<float>(image.height);
    for (std::int64_t y = 0; y < level.shape[2]; y++)
        for (std::int64_t x = 0; x < level.shape[3]; x++)
            for (int label = 0; label < classes; label++) {
                const float score = 1 / (1 + std::exp(-logits.at(level.view(), label, y, x)));
                if (!(score > threshold)) continue;
                const float middle_x = (static_cast<float>(x) + 0.5f) * stride;
                const float middle_y = (static_cast<float>(y) + 0.5f) * stride;
                float distance[4];
                for (int side = 0; side < 4; side++) {
                    // Within e^-3 and e^3 strides, whatever the weights are.
                    distance[side] = stride * std::exp(std::clamp(distances.at(level.view(), side, y, x), -3.0f, 3.0f));
                }
                boxes.push_back({label,
                                 score,
                                 {std::clamp(middle_x - distance[0], 0.0f, right),
                                  std::clamp(middle_y - distance[1], 0.0f, bottom),
                                  std::clamp(middle_x + distance[2], 0.0f, right),
                                  std::clamp(middle_y + distance[3], 0.0f, bottom)}});
            }
}

/// Area of the intersection of two boxes by that of their union.
static float overlap(const Box &a, const Box &b) {
    const auto area = [](const std::array<float, 4> &e) {
        return std::max(e[2] - e[0], 0.0f) * std::max(e[3] - e[1], 0.0f);
    };
    const float shared = area({std::max(a.edges[0], b.edges[0]), std::max(a.edges[1], b.edges[1]),
                               std::min(a.edges[2], b.edges[2]), std::min(a.edges[3], b.edges[3])});
    const float all = area(a.edges) + area(b.edges) - shared;
    return all > 0 ? shared / all : 0;
}

/// Non-maximum suppression: from the best box down, each that no better one of its class overlaps by more than half.
static std::vector<Box> suppress(std::vector<Box> boxes) {
    std::stable_sort(boxes.begin(), boxes.end(), [](const Box &a, const Box &b) { return a.score > b.score; });
    boxes.resize(std::min(boxes.size(), std::size_t{200}));
    std::vector<Box> kept;
    for (const Box &box : boxes) {
        const auto covers = [&](const Box &other) { return other.label == box.label && overlap(other, box) > 0.5f; };
        if (std::none_of(kept.begin(), kept.end(), covers)) kept.push_back(box);
    }
    return kept;
}

static void draw(Image &image, const Box &box) {
    static const std::uint8_t colors[classes][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}};
    const auto column = [&](float x) { return std::min(static_cast<std::int64_t>(x), image.width - 1); };
    const auto row = [&](float y) { return std::min(static_cast<std::int64_t>(y), image.height - 1); };
    const auto paint = [&](std::int64_t y, std::int64_t x) {
        std::copy_n(colors[box.label], 3, image.pixels.begin() + (y * image.width + x) * 3);
    };
    const std::int64_t left = column(box.edges[0]), right = column(box.edges[2]);
    const std::int64_t top = row(box.edges[1]), bottom = row(box.edges[3]);
    for (std::int64_t x = left; x <= right; x++) paint(top, x), paint(bottom, x);
    for (std::int64_t y = top; y <= bottom; y++) paint(y, left), paint(y, right);
}

/* ---- The program ------------------------------------------------------------------------------------------------ */

struct Arguments {
    std::string image, weights, drawing;
    std::uint64_t seed = 1;
    float threshold = 0.9f;
};

static Arguments parse(int argc, char **argv) {
    Arguments arguments;
    for (int i = 1; i < argc; i++) {
        const std::string argument = argv[i];
        if (argument.rfind("--", 0) != 0) {
            arguments.image = argument;
            continue;
        }
        if (i + 1 == argc) throw std::runtime_error(argument + " needs a value\n\n" + usage);
        const std::string value = argv[++i];
        if (argument == "--weights") {
            arguments.weights = value;
        } else if (argument == "--draw") {
            arguments.drawing = value;
        } else if (argument == "--seed") {
            arguments.seed = std::strtoull(value.c_str(), nullptr, 10);
        } else if (argument == "--threshold") {
            arguments.threshold = std::strtof(value.c_str(), nullptr);
        } else {
            throw std::runtime_error("unknown option " + argument + "\n\n" + usage);
        }
    }
    if (arguments.image.empty()) throw std::runtime_error(std::string("no image given\n\n") + usage);
    return arguments;
}

static backbone::Backbone make_backbone(const Arguments &arguments) {
    backbone::Options options;
    options.depth = 18;
    options.out_stages = BACKBONE_STAGE_C3 | BACKBONE_STAGE_C4 | BACKBONE_STAGE_C5;
    options.mean = backbone::imagenet_mean;
    options.std_dev = backbone::imagenet_std_dev;
    if (arguments.weights.empty()) return backbone::Backbone(options);
    return backbone::Backbone::from_file(arguments.weights, options);
}

static void run(const Arguments &arguments) {
    Image image = read_ppm(arguments.image);
    backbone::Backbone net = make_backbone(arguments);

    // The decoded rows as they are: the strides say that channels are innermost.
    const backbone::Shape shape = {1, 3, image.height, image.width};
    const backbone::Features features =
        net.forward(backbone::Pixels(image.pixels.data(), shape, backbone::nhwc(shape)));

    Random random(arguments.seed);
    std::vector<Convolution> laterals;
    for (std::size_t i = 0; i < features.size(); i++) {
        laterals.emplace_back(width_of_neck, features[i].shape()[1], random);
    }
    const Convolution logits(classes, width_of_neck, random), distances(4, width_of_neck, random);

    std::vector<Box> boxes;
    for (const Level &level : make_pyramid(features, laterals)) {
        decode(level, logits, distances, image, arguments.threshold, boxes);
    }
    for (const Box &box : suppress(std::move(boxes))) {
        std::printf("%d %.4f", box.label, static_cast<double>(box.score));
        for (float edge : box.edges) std::printf(" %.2f", static_cast<double>(edge));
        std::printf("\n");
        draw(image, box);
    }
    if (!arguments.drawing.empty()) write_ppm(arguments.drawing, image);
}

int main(int argc, char **argv) {
    try {
        run(parse(argc, argv));
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "detector: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
