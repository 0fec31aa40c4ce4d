/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * backbone.hpp: every function of it gives what the C function gives, bit for bit; each status is an exception; owners
 * move and free once (valgrind looks on); what is const stays so. Small networks, for valgrind.
 */

#include <backbone.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/* ---- Checking --------------------------------------------------------------------------------------------------- */

static int failures = 0;

static void check(bool condition, int line, const char *what) {
    if (condition) return;
    failures++;
    std::fprintf(stderr, "%s:%d: %s\n", __FILE__, line, what);
}
#define CHECK(...) check((__VA_ARGS__), __LINE__, #__VA_ARGS__)

/// The call throws an Error of that status whose message contains `text`: the culprit or its value.
template <class Call>
static void check_throws(int line, backbone_status status, const char *text, const Call &call) {
    try {
        call();
        check(false, line, "nothing was thrown");
    } catch (const backbone::Error &error) {
        const std::string message = error.what();
        const bool expected = error.status() == status && !message.empty() && message.find(text) != message.npos;
        check(expected, line, (backbone_status_string(error.status()) + (": " + message)).c_str());
    }
}
#define CHECK_THROWS(status, text, ...) check_throws(__LINE__, status, text, [&] { (void)(__VA_ARGS__); })
#define INVALID BACKBONE_STATUS_INVALID_ARGUMENT

/* ---- Memory that runs out --------------------------------------------------------------------------------------- */

static bool memory_can_run_out = true;
static bool out_of_memory = false;

/// The library allocates through this alone, and this program's own stands in its place.
extern "C" int posix_memalign(void **out, std::size_t alignment, std::size_t size) noexcept {
    if (out_of_memory) return 12; // ENOMEM
    *out = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    return *out == nullptr ? 12 : 0;
}

/* ---- What the types promise ------------------------------------------------------------------------------------- */

template <class T, class U>
constexpr bool converts = std::is_convertible_v<T, U>;
using Net = backbone::Backbone;

template <class T>
constexpr bool only_moves = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                            !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(only_moves<Net> && only_moves<backbone::Report> && only_moves<backbone::Features>);
static_assert(std::is_copy_constructible_v<backbone::MismatchError>, "exceptions must be copyable");
static_assert(!std::is_polymorphic_v<Net> && !std::is_polymorphic_v<backbone::Report>);
static_assert(sizeof(backbone::Tensor) == sizeof(backbone_tensor));
static_assert(sizeof(backbone::Options) == sizeof(backbone_options));
static_assert(sizeof(backbone::LoadOptions) == sizeof(backbone_load_options));
static_assert(sizeof(backbone::Report) == sizeof(void *) && sizeof(backbone::Text) == sizeof(void *));
static_assert(!std::is_default_constructible_v<backbone> && !std::is_destructible_v<backbone>);

// What is written may be read, and not the reverse; an output is float32.
static_assert(converts<backbone::Tensor, backbone::ConstTensor> && !converts<backbone::ConstTensor, backbone::Tensor>);
static_assert(!converts<backbone::Pixels, backbone::ConstTensor> && !converts<backbone::Pixels, backbone::Tensor>);
static_assert(converts<std::vector<backbone::Tensor> &, backbone::Span<const backbone::Tensor>>);
static_assert(!converts<std::vector<backbone::ConstTensor> &, backbone::Span<const backbone::Tensor>>);
static_assert(!converts<const std::vector<float> &, backbone::Span<float>>);
static_assert(std::is_same_v<decltype(std::declval<backbone::ConstTensor &>()(0, 0, 0, 0)), const float &>);
static_assert(std::is_same_v<decltype(std::declval<const backbone::Features &>()[0]), backbone::ConstTensor>);
static_assert(std::is_same_v<decltype(std::declval<const Net &>().c()), const ::backbone *>);

template <class T, class = void>
constexpr bool can_forward = false;
template <class T>
using Forwarded = decltype(std::declval<T &>().forward(std::declval<backbone::Pixels>()));
template <class T>
constexpr bool can_forward<T, std::void_t<Forwarded<T>>> = true;
static_assert(can_forward<Net> && !can_forward<const Net>, "a forward in training mode changes the network");

/* ---- Networks and images ---------------------------------------------------------------------------------------- */

static const backbone::Shape image_shape = {2, 3, 40, 37};

static backbone::Options small_options() {
    backbone::Options options;
    options.depth = 18;
    options.base_channels = 4;
    options.threads = 2;
    options.mean = backbone::imagenet_mean;
    options.std_dev = backbone::imagenet_std_dev;
    return options;
}

static std::vector<std::uint8_t> make_bytes() {
    std::vector<std::uint8_t> bytes(2 * 3 * 40 * 37);
    for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<std::uint8_t>(i * i * 7 + i * 13);
    return bytes;
}

static std::vector<float> make_floats() {
    std::vector<float> floats;
    for (std::uint8_t byte : make_bytes()) floats.push_back(static_cast<float>(byte) / 64 - 2);
    return floats;
}

/// What C computes: all features, one after another.
static std::vector<float> features_of_c(::backbone *net, const backbone_tensor &input) {
    std::int64_t shapes[4][4];
    CHECK(backbone_output_shapes(net, input.shape, shapes[0], 4) == BACKBONE_STATUS_OK);
    std::int64_t total = 0;
    for (auto &s : shapes) total += s[0] * s[1] * s[2] * s[3];
    std::vector<float> values(static_cast<std::size_t>(total), -1.0f);
    backbone_tensor outputs[4] = {};
    float *next = values.data();
    for (int i = 0; i < 4; i++) {
        const auto &s = shapes[i];
        const std::int64_t plane = s[2] * s[3];
        outputs[i] = {next, BACKBONE_DTYPE_FLOAT32, 0, {s[0], s[1], s[2], s[3]}, {s[1] * plane, plane, s[3], 1}};
        next += s[0] * s[1] * plane;
    }
    CHECK(backbone_forward(net, &input, outputs, 4) == BACKBONE_STATUS_OK);
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

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

static void forwards_equal_those_of_c() {
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

static void shapes_and_views() {
    Net net(small_options());
    std::int64_t c[4][4];
    CHECK(backbone_output_shapes(net.c(), image_shape.data(), c[0], 4) == BACKBONE_STATUS_OK);
    const backbone::Shapes shapes = net.output_shapes(image_shape);
    CHECK(shapes.size() == 4 && net.stage_count() == 4);
    for (std::size_t i = 0; i < 4; i++) CHECK(std::memcmp(shapes[i].data(), c[i], sizeof c[i]) == 0);

    CHECK(backbone::nchw({2, 3, 5, 7}) == backbone::Shape{105, 35, 7, 1});
    CHECK(backbone::nhwc({2, 3, 5, 7}) == backbone::Shape{105, 1, 21, 3});
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

static void options_are_those_of_c() {
    backbone_options c;
    CHECK(backbone_options_init(&c, sizeof c) == BACKBONE_STATUS_OK);
    const backbone::Options defaults;
    CHECK(std::memcmp(static_cast<const backbone_options *>(&defaults), &c, sizeof c) == 0);
    backbone_load_options c_load;
    CHECK(backbone_load_options_init(&c_load, sizeof c_load) == BACKBONE_STATUS_OK);
    const backbone::LoadOptions load;
    CHECK(load.struct_size == c_load.struct_size && load.strict == 0 && load.key == nullptr && load.prefix == nullptr);

    const Net net(small_options());
    const backbone::Options now = net.options();
    CHECK(now.depth == 18 && now.base_channels == 4 && now.threads == 2 && now.frozen_stages == -1);
    CHECK(now.mean != backbone::imagenet_mean && now.mean[1] == 116.28f && now.std_dev[2] == 57.375f);
    CHECK(std::strcmp(backbone::version(), BACKBONE_VERSION_STRING) == 0);
    CHECK(backbone::abi_version() == BACKBONE_ABI_VERSION);
}

static void entries_are_read_and_written() {
    Net net(small_options());
    const Net &constant = net;
    std::size_t count = 0;
    CHECK(backbone_entry_count(net.c(), &count) == BACKBONE_STATUS_OK && count == 120);
    CHECK(constant.entry_count() == count);
    for (std::size_t i = 0; i < count; i++) {
        backbone_entry_info c;
        CHECK(backbone_get_entry_info(net.c(), i, &c) == BACKBONE_STATUS_OK);
        const backbone_entry_info info = constant.entry(i);
        CHECK(info.name == c.name && std::memcmp(&info, &c, sizeof c) == 0 && constant.find(info.name) == i);
    }
    CHECK(constant.entry("conv1.weight").shape[0] == 4 && constant.entry(std::string("conv1.weight")).ndim == 4);

    float c_values[4 * 3 * 7 * 7];
    CHECK(backbone_read_entry(net.c(), 0, c_values, sizeof c_values) == BACKBONE_STATUS_OK);
    std::vector<float> values = constant.read("conv1.weight");
    CHECK(values.size() == 588 && std::memcmp(values.data(), c_values, sizeof c_values) == 0);
    values[5] = 42;
    net.write("conv1.weight", values);
    net.write(constant.find("bn1.bias"), std::vector<float>{1, 2, 3, 4});
    net.write("bn1.num_batches_tracked", std::array<std::int64_t, 1>{1234567890123});
    float read[588], bias[4];
    constant.read(0, read);
    constant.read(constant.find("bn1.bias"), bias);
    CHECK(read[5] == 42 && bias[3] == 4);
    CHECK(constant.read<std::int64_t>("bn1.num_batches_tracked") == std::vector<std::int64_t>{1234567890123});
    net.write(constant.find("bn1.num_batches_tracked"), std::vector<std::int64_t>{5});
    std::int64_t tracked[1];
    constant.read(constant.find("bn1.num_batches_tracked"), tracked);
    CHECK(tracked[0] == 5);

    // Two floats are as large as one int64_t.
    float two[2];
    CHECK_THROWS(INVALID, "num_batches_tracked", net.read(constant.find("bn1.num_batches_tracked"), two));
    CHECK_THROWS(INVALID, "num_batches_tracked", net.write("bn1.num_batches_tracked", two));
    CHECK_THROWS(INVALID, "conv1.weight", net.read<std::int64_t>("conv1.weight"));
    CHECK_THROWS(INVALID, "8", net.read(constant.find("bn1.bias"), two));

    net.init_weights(7);
    ::backbone *other = nullptr;
    const backbone::Options options = small_options();
    CHECK(backbone_create(&options, &other) == BACKBONE_STATUS_OK);
    CHECK(backbone_init_weights(other, 7) == BACKBONE_STATUS_OK);
    const Net adopted(other);
    CHECK(adopted.read("layer4.1.conv2.weight") == net.read("layer4.1.conv2.weight"));
    CHECK(net.read("conv1.weight") != Net(options).read("conv1.weight"));
    CHECK(net.read("bn1.bias") == std::vector<float>(4, 0.0f));
}

static void freezing_and_modes() {
    Net net(small_options());
    net.freeze(1);
    CHECK(net.options().frozen_stages == 1 && net.entry("layer1.0.conv1.weight").trainable == 0);
    CHECK(net.entry("layer2.0.conv1.weight").trainable == 1 && !net.training());
    net.set_training(true);
    std::int32_t c = 0;
    CHECK(backbone_get_training(net.c(), &c) == BACKBONE_STATUS_OK && c == 1 && net.training());
    CHECK(net.entry("bn1.weight").batch_statistics == 0 && net.entry("layer2.0.bn1.weight").batch_statistics == 1);
    const std::vector<float> floats = make_floats();
    net.forward(backbone::ConstTensor(floats.data(), image_shape));
    CHECK(net.read<std::int64_t>("bn1.num_batches_tracked")[0] == 0);
    CHECK(net.read<std::int64_t>("layer2.0.bn1.num_batches_tracked")[0] == 1);
    net.set_training(false);
    net.freeze(-1);
    CHECK(!net.training() && net.entry("conv1.weight").trainable == 1);
    CHECK_THROWS(INVALID, "5", net.freeze(5));
}

static void files_and_reports(const std::filesystem::path &folder) {
    Net net(small_options());
    net.init_weights(3);
    net.write("bn1.bias", std::vector<float>{1, 2, 3, 4});
    const std::string path = folder / "weights";
    const Net &constant = net;
    constant.save_weights(path);

    Net other(small_options());
    backbone::LoadOptions strict;
    strict.strict = 1;
    const backbone::Report report = other.load_weights(folder / "weights", strict);
    CHECK(other.read("bn1.bias") == net.read("bn1.bias") && other.read("conv1.weight") == net.read("conv1.weight"));
    CHECK(report.count(BACKBONE_REPORT_LOADED) == 120 && report.count(BACKBONE_REPORT_MISSING) == 0);
    CHECK(std::strcmp(report.property(BACKBONE_REPORT_CONTAINER), "safetensors") == 0);
    const backbone_report_entry entry = report.entry(BACKBONE_REPORT_LOADED, 0);
    CHECK(std::strcmp(entry.name, "conv1.weight") == 0 && entry.actual_shape[3] == 7 && entry.expected_ndim == 4);
    ::backbone *handle = other.c();
    backbone_report *c_report = nullptr;
    const char *json = nullptr;
    CHECK(backbone_load_weights_with(handle, path.c_str(), &strict, &c_report) == BACKBONE_STATUS_OK);
    CHECK(backbone_report_to_json(c_report, &json) == BACKBONE_STATUS_OK && std::strcmp(json, report.json()) == 0);
    std::size_t warnings = 0;
    CHECK(backbone_report_warning_count(c_report, &warnings) == BACKBONE_STATUS_OK);
    CHECK(warnings == report.warning_count());
    const backbone::Report owned(c_report);
    CHECK(owned.c() == c_report && owned.count(BACKBONE_REPORT_LOADED) == 120);
    CHECK_THROWS(INVALID, "", report.entry(BACKBONE_REPORT_LOADED, 120));
    CHECK_THROWS(INVALID, "", report.property(99));
    CHECK_THROWS(INVALID, "", report.warning(report.warning_count()));
    CHECK_THROWS(INVALID, "", report.count(99));
    CHECK_THROWS(INVALID, "", backbone::Report().count(0));

    // inspect and from_file find the network by themselves.
    CHECK(std::strcmp(backbone::inspect(path).property(BACKBONE_REPORT_DEPTH), "18") == 0);
    backbone::Report found;
    const Net described = Net::from_file(path, backbone::Options(), strict, &found);
    CHECK(described.options().base_channels == 4 && described.read("bn1.bias") == net.read("bn1.bias"));
    CHECK(found.count(BACKBONE_REPORT_LOADED) == 120 && described.stage_count() == 4);

    // A network that does not divide its inputs as those weights want it.
    backbone::Options undivided = small_options();
    undivided.std_dev = nullptr;
    Net doubtful(undivided);
    const backbone::Report doubt = doubtful.load_weights(path);
    CHECK(doubt.warning_count() == 1 && std::strstr(doubt.warning(0), "std_dev") != nullptr);

    // A mismatch has its report, and changes nothing.
    backbone::Options wide = small_options();
    wide.base_channels = 8;
    Net wider(wide);
    const std::vector<float> before = wider.read("conv1.weight");
    bool thrown = false;
    try {
        wider.load_weights(path);
    } catch (const backbone::MismatchError &error) {
        const backbone::MismatchError copy = error;
        thrown = true;
        CHECK(copy.status() == BACKBONE_STATUS_MISMATCH && std::strstr(copy.what(), "conv1.weight") != nullptr);
        const backbone_report_entry first = copy.report().entry(BACKBONE_REPORT_MISMATCHED, 0);
        CHECK(first.expected_shape[0] == 8 && first.actual_shape[0] == 4);
    }
    CHECK(thrown && wider.read("conv1.weight") == before);
}

static void every_status_is_an_exception(const std::filesystem::path &folder) {
    Net net(small_options());
    backbone::Options wrong = small_options();
    wrong.depth = 20;
    CHECK_THROWS(INVALID, "20", Net(wrong));
    CHECK_THROWS(INVALID, "", Net(static_cast<::backbone *>(nullptr)));
    CHECK_THROWS(BACKBONE_STATUS_FILE_NOT_FOUND, "nothing", net.load_weights(folder / "nothing"));
    CHECK_THROWS(BACKBONE_STATUS_FILE_NOT_FOUND, "nothing", backbone::inspect(folder / "nothing"));
    CHECK_THROWS(BACKBONE_STATUS_FILE_NOT_FOUND, "nothing", Net::from_file(folder / "nothing"));
    CHECK_THROWS(BACKBONE_STATUS_IO, folder.c_str(), net.load_weights(folder));
    CHECK_THROWS(BACKBONE_STATUS_FILE_NOT_FOUND, "no-folder", net.save_weights(folder / "no-folder" / "weights"));
    std::ofstream(folder / "text") << "no checkpoint";
    CHECK_THROWS(BACKBONE_STATUS_BAD_CHECKPOINT, "text", net.load_weights(folder / "text"));
    CHECK_THROWS(BACKBONE_STATUS_UNKNOWN_NAME, "fc.weight", net.read("fc.weight"));
    CHECK_THROWS(BACKBONE_STATUS_UNKNOWN_NAME, "fc.weight", net.entry("fc.weight"));
    CHECK_THROWS(BACKBONE_STATUS_UNKNOWN_NAME, "fc.weight", net.write("fc.weight", std::vector<float>(1)));
    CHECK_THROWS(INVALID, "120", net.entry(120));
    CHECK_THROWS(INVALID, "", net.output_shapes({1, 4, 8, 8}));
    const std::vector<float> floats = make_floats();
    const backbone::ConstTensor image(floats.data(), image_shape);
    CHECK_THROWS(INVALID, "3", net.forward(image, std::vector<backbone::Tensor>(3)));
    CHECK_THROWS(INVALID, "NULL", net.forward(backbone::ConstTensor(nullptr, image_shape)));
    const std::int64_t huge = std::int64_t{1} << 62;
    CHECK_THROWS(INVALID, "", net.forward(backbone::ConstTensor(floats.data(), {huge, 3, huge, huge})));
    if (!memory_can_run_out) return;

    out_of_memory = true;
    CHECK_THROWS(BACKBONE_STATUS_OUT_OF_MEMORY, "", Net(small_options()));
    CHECK_THROWS(BACKBONE_STATUS_OUT_OF_MEMORY, "", net.load_weights(folder / "weights"));
    CHECK_THROWS(BACKBONE_STATUS_OUT_OF_MEMORY, "", net.forward(image));
    out_of_memory = false;
    CHECK(net.forward(image).size() == 4);
}

static void owners_move() {
    Net first(small_options());
    ::backbone *handle = first.c();
    Net second = std::move(first);
    CHECK(first.c() == nullptr && second.c() == handle);
    CHECK_THROWS(INVALID, "", first.training());
    CHECK_THROWS(INVALID, "", first.output_shapes(image_shape));
    const std::vector<float> floats = make_floats();
    CHECK_THROWS(INVALID, "", first.forward(backbone::ConstTensor(floats.data(), image_shape)));
    Net third(small_options());
    third = std::move(second); // frees what it had
    CHECK(third.c() == handle && third.stage_count() == 4);
    first = std::move(third);
    std::vector<Net> many;
    for (int i = 0; i < 3; i++) many.emplace_back(small_options());
    many[0] = std::move(first);
    CHECK(many[0].c() == handle && many[0].entry_count() == 120);
    backbone_free(many[0].release());
    CHECK(many[0].c() == nullptr);
}

static void profiles_have_all_layers() {
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

/// Usage: hpp [--valgrind], where posix_memalign is valgrind's own.
int main(int argc, char **argv) {
    memory_can_run_out = !(argc == 2 && std::strcmp(argv[1], "--valgrind") == 0);
    char name[] = "/tmp/backbone-hpp-XXXXXX";
    if (mkdtemp(name) == nullptr) {
        std::perror(name);
        return EXIT_FAILURE;
    }
    const std::filesystem::path folder = name;
    forwards_equal_those_of_c();
    shapes_and_views();
    options_are_those_of_c();
    entries_are_read_and_written();
    freezing_and_modes();
    files_and_reports(folder);
    every_status_is_an_exception(folder);
    owners_move();
    profiles_have_all_layers();
    std::filesystem::remove_all(folder);
    std::printf("%d checks failed\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
