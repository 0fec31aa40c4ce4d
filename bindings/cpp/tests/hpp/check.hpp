/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* What the tests of backbone.hpp share: checks, and small networks and images, for valgrind. */

#pragma once

#include <backbone.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

using Net = backbone::Backbone;

/* ---- Checking --------------------------------------------------------------------------------------------------- */

inline int failures = 0;

inline void check(bool condition, const char *file, int line, const char *what) {
    if (condition) return;
    failures++;
    std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
}
#define CHECK(...) check((__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)

/// The call throws an Error of that status whose message contains `text`: the culprit or its value.
template <class Call>
void check_throws(const char *file, int line, backbone_status status, const char *text, const Call &call) {
    try {
        call();
        check(false, file, line, "nothing was thrown");
    } catch (const backbone::Error &error) {
        const std::string message = error.what();
        const bool expected = error.status() == status && !message.empty() && message.find(text) != message.npos;
        check(expected, file, line, (backbone_status_string(error.status()) + (": " + message)).c_str());
    }
}
#define CHECK_THROWS(status, text, ...) \
    check_throws(__FILE__, __LINE__, status, text, [&] { (void)(__VA_ARGS__); })
#define INVALID BACKBONE_STATUS_INVALID_ARGUMENT

/* ---- Networks and images ---------------------------------------------------------------------------------------- */

inline const backbone::Shape image_shape = {2, 3, 40, 37};

inline backbone::Options small_options() {
    backbone::Options options;
    options.depth = 18;
    options.base_channels = 4;
    options.threads = 2;
    options.mean = backbone::imagenet_mean;
    options.std_dev = backbone::imagenet_std_dev;
    return options;
}

inline std::vector<std::uint8_t> make_bytes() {
    std::vector<std::uint8_t> bytes(2 * 3 * 40 * 37);
    for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<std::uint8_t>(i * i * 7 + i * 13);
    return bytes;
}

inline std::vector<float> make_floats() {
    std::vector<float> floats;
    for (std::uint8_t byte : make_bytes()) floats.push_back(static_cast<float>(byte) / 64 - 2);
    return floats;
}

/* ---- The tests -------------------------------------------------------------------------------------------------- */

// forward.cpp
void all_outputs_equal_those_of_c();
void forwards_equal_those_of_c();
void shapes_and_views();
void profiles_have_all_layers();
void warnings_are_those_of_c();
void cancel_ends_calls_in_progress();

// weights.cpp
void options_are_those_of_c();
void networks_are_created_by_name();
void entries_are_read_and_written();
void freezing_and_modes();
void files_and_reports(const std::filesystem::path &folder);

// training.cpp
void training_equals_that_of_c();
void gradients_are_missing_added_and_of_inputs();
void stale_and_not_finite_are_exceptions();
void training_is_saved_and_loaded(const std::filesystem::path &folder);
void gradients_of_features_equal_those_of_c();
void statistics_equal_those_of_c();
void tapes_and_optimizers_are_freed_in_any_order();

// main.cpp
void every_status_is_an_exception(const std::filesystem::path &folder);
void owners_move();
