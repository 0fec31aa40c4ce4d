/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * The detector of detector.hpp on images of OpenCV: pixels in the order BGR, rows with padding, regions, letterboxes;
 * all without a copy.
 *
 *     c++ -std=c++17 -O2 opencv.cpp $(pkg-config --cflags --libs backbone opencv4) -o opencv
 *     ./opencv photo.jpg --weights=resnet18.pth --size=640 --draw=boxes.png
 */

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "detector.hpp"

static const char options[] = "{help h usage ? |     | print this }"
                              "{@image         |     | the image, of any format that OpenCV reads }"
                              "{weights        |     | the backbone: a PyTorch .pth or a safetensors file }"
                              "{region         |     | LEFT,TOP,WIDTH,HEIGHT: detect in this part of the image alone }"
                              "{size           | 0   | fit the pixels into a square of this side; 0: as they are }"
                              "{seed           | 1   | of the random weights of neck and head }"
                              "{threshold      | 0.9 | the lowest score, from 0 to 1 }"
                              "{draw           |     | a file to write the image with the boxes to }";

/// The pixels of an image, which must live as long as the view: no copy, whatever the padding of its rows.
static backbone::Pixels view(const cv::Mat &image) {
    CV_Assert(image.type() == CV_8UC3);
    const backbone::Shape shape = {1, 3, image.rows, image.cols};
    return {image.data, shape, backbone::nhwc(shape, static_cast<std::int64_t>(image.step))};
}

/// What the network sees, and by which factor it is larger than the image.
struct Letterbox {
    cv::Mat pixels;
    double scale;
};

/// The image at the top left of a square, enlarged or reduced to fit; what remains has the mean colour of ImageNet.
static Letterbox fit(const cv::Mat &image, int side) {
    const double scale = static_cast<double>(side) / std::max(image.rows, image.cols);
    const cv::Size size(std::max(1, static_cast<int>(image.cols * scale + 0.5)),
                        std::max(1, static_cast<int>(image.rows * scale + 0.5)));
    cv::Mat square(side, side, CV_8UC3, cv::Scalar(104, 116, 124));
    // The part of the square has its size and type, so the result goes there.
    cv::resize(image, square(cv::Rect(cv::Point(), size)), size, 0, 0, cv::INTER_LINEAR);
    return {square, scale};
}

static cv::Rect region_of(const std::string &text, const cv::Mat &image) {
    const cv::Rect whole(cv::Point(), image.size());
    if (text.empty()) return whole;
    cv::Rect region;
    const int read = std::sscanf(text.c_str(), "%d,%d,%d,%d", &region.x, &region.y, &region.width, &region.height);
    if (read != 4 || region.empty() || (region & whole) != region) {
        throw std::runtime_error("--region is " + text + "; it must be LEFT,TOP,WIDTH,HEIGHT within the image");
    }
    return region;
}

static void run(const cv::CommandLineParser &arguments) {
    const auto path = arguments.get<std::string>("@image");
    cv::Mat image = cv::imread(path, cv::IMREAD_COLOR); // 3 channels of 8 bits, BGR
    if (image.empty()) throw std::runtime_error(path + ": OpenCV cannot read it as an image");

    backbone::Options network;
    network.out_stages = BACKBONE_STAGE_C3 | BACKBONE_STAGE_C4 | BACKBONE_STAGE_C5;
    network.mean = backbone::imagenet_mean;
    network.std_dev = backbone::imagenet_std_dev;
    network.channel_order = BACKBONE_CHANNELS_REVERSED; // BGR pixels, weights for RGB
    backbone::Backbone net = backbone::Backbone::from_file(arguments.get<std::string>("weights"), network);

    const cv::Rect region = region_of(arguments.get<std::string>("region"), image);
    Letterbox input = {image(region), 1}; // a part of the image's rows: not continuous
    if (const int side = arguments.get<int>("size")) input = fit(input.pixels, side);

    const backbone::Pixels pixels = view(input.pixels);
    const backbone::Features features = net.forward(pixels);
    const auto seed = static_cast<std::uint64_t>(arguments.get<int>("seed"));
    for (const Box &box : detect(features, pixels.shape(), seed, arguments.get<float>("threshold"))) {
        // Back to the coordinates of the image.
        const cv::Point2d offset(region.tl());
        const cv::Point2d top_left = cv::Point2d(box.edges[0], box.edges[1]) / input.scale + offset;
        const cv::Point2d bottom_right = cv::Point2d(box.edges[2], box.edges[3]) / input.scale + offset;
        std::printf("%d %.4f %.2f %.2f %.2f %.2f\n", box.label, static_cast<double>(box.score), top_left.x, top_left.y,
                    bottom_right.x, bottom_right.y);
        cv::rectangle(image, cv::Point(top_left), cv::Point(bottom_right), cv::Scalar(0, 255, 0));
    }
    const auto drawing = arguments.get<std::string>("draw");
    if (!drawing.empty() && !cv::imwrite(drawing, image)) throw std::runtime_error(drawing + ": cannot write it");
}

int main(int argc, char **argv) {
    try {
        cv::CommandLineParser arguments(argc, argv, options);
        arguments.about("Prints class, score, and left, top, right and bottom edge of each box.");
        if (arguments.has("help") || !arguments.has("@image") || !arguments.has("weights")) {
            arguments.printMessage();
            return arguments.has("help") ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        run(arguments);
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "opencv: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
