/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * The detector of detector.hpp on an image in a PPM file: needs nothing but the library.
 *
 *     c++ -std=c++17 -O2 detector.cpp $(pkg-config --cflags --libs backbone) -o detector
 *     djpeg photo.jpg > photo.ppm
 *     ./detector photo.ppm --weights resnet18.pth --draw boxes.ppm
 */

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "detector.hpp"

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

    for (const Box &box : detect(features, shape, arguments.seed, arguments.threshold)) {
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
