/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * A small one-stage detector on the features C3, C4 and C5: what a detector adds to a backbone.
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

#ifndef DETECTOR_HPP
#define DETECTOR_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <backbone.hpp>

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

inline const std::int64_t width_of_neck = 16;

/// A level of the pyramid: values, and how to see them as a tensor.
struct Level {
    std::int64_t stride;
    backbone::Shape shape; // 1, 16, height, width
    std::vector<float> values;

    backbone::ConstTensor view() const { return {values.data(), shape}; }
};

/// P3, P4, P5 of C3, C4, C5; `coarser` levels are made first, since finer ones are added to them.
inline std::vector<Level> make_pyramid(const backbone::Features &features, const std::vector<Convolution> &laterals) {
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
    std::array<float, 4> edges; // left, top, right, bottom, in pixels of the input
};

inline const int classes = 3;

/// All boxes of a level with a score above the threshold.
inline void decode(const Level &level, const Convolution &logits, const Convolution &distances,
                   const backbone::Shape &input, float threshold, std::vector<Box> &boxes) {
    const auto stride = static_cast<float>(level.stride);
    const float right = static_cast<float>(input[3]), bottom = static_cast<float>(input[2]);
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
inline float overlap(const Box &a, const Box &b) {
    const auto area = [](const std::array<float, 4> &e) {
        return std::max(e[2] - e[0], 0.0f) * std::max(e[3] - e[1], 0.0f);
    };
    const float shared = area({std::max(a.edges[0], b.edges[0]), std::max(a.edges[1], b.edges[1]),
                               std::min(a.edges[2], b.edges[2]), std::min(a.edges[3], b.edges[3])});
    const float all = area(a.edges) + area(b.edges) - shared;
    return all > 0 ? shared / all : 0;
}

/// Non-maximum suppression: from the best box down, each that no better one of its class overlaps by more than half.
inline std::vector<Box> suppress(std::vector<Box> boxes) {
    std::stable_sort(boxes.begin(), boxes.end(), [](const Box &a, const Box &b) { return a.score > b.score; });
    boxes.resize(std::min(boxes.size(), std::size_t{200}));
    std::vector<Box> kept;
    for (const Box &box : boxes) {
        const auto covers = [&](const Box &other) { return other.label == box.label && overlap(other, box) > 0.5f; };
        if (std::none_of(kept.begin(), kept.end(), covers)) kept.push_back(box);
    }
    return kept;
}

/// The boxes of an input of this shape, the best first.
inline std::vector<Box> detect(const backbone::Features &features, const backbone::Shape &input, std::uint64_t seed,
                               float threshold) {
    Random random(seed);
    std::vector<Convolution> laterals;
    for (std::size_t i = 0; i < features.size(); i++) {
        laterals.emplace_back(width_of_neck, features[i].shape()[1], random);
    }
    const Convolution logits(classes, width_of_neck, random), distances(4, width_of_neck, random);

    std::vector<Box> boxes;
    for (const Level &level : make_pyramid(features, laterals)) {
        decode(level, logits, distances, input, threshold, boxes);
    }
    return suppress(std::move(boxes));
}

#endif
