/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Options, entries, modes, files and reports are those of the C functions. */

#include "check.hpp"

#include <array>
#include <fstream>
#include <iterator>

void options_are_those_of_c() {
    backbone_options c;
    CHECK(backbone_options_init(&c, sizeof c) == BACKBONE_STATUS_OK);
    const backbone::Options defaults;
    CHECK(std::memcmp(static_cast<const backbone_options *>(&defaults), &c, sizeof c) == 0);
    backbone_load_options c_load;
    CHECK(backbone_load_options_init(&c_load, sizeof c_load) == BACKBONE_STATUS_OK);
    const backbone::LoadOptions load;
    CHECK(load.struct_size == c_load.struct_size && load.strict == 0 && load.key == nullptr && load.prefix == nullptr);
    CHECK(load.allow_missing == 0 && load.ignore_modules == 0 && load.max_stream_bytes == 0);

    const Net net(small_options());
    const backbone::Options now = net.options();
    CHECK(now.depth == 18 && now.base_channels == 4 && now.threads == 2 && now.frozen_stages == -1);
    CHECK(now.mean != backbone::imagenet_mean && now.mean[1] == 116.28f && now.std_dev[2] == 57.375f);
    CHECK(std::strcmp(backbone::version(), BACKBONE_VERSION_STRING) == 0);
    CHECK(backbone::abi_version() == BACKBONE_ABI_VERSION);
}

void networks_are_created_by_name() {
    const std::vector<const char *> names = backbone::architectures();
    CHECK(names.size() == backbone_architecture_count());
    for (std::size_t i = 0; i < names.size(); i++) CHECK(names[i] == backbone_architecture_name(i));

    backbone::Options options = small_options();
    options.out_stages = BACKBONE_STAGE_C2;
    for (const char *name : {"resnet26", "wide_resnet50_2"}) {
        const std::string copy = name;
        options.architecture = copy.c_str();
        options.depth = 0;
        const Net net(options);
        CHECK(net.options().depth == 0 && net.options().architecture == copy);
        options.depth = 50;
        CHECK_THROWS(INVALID, name, Net(options));
        options.depth = net.options().depth;
        options.architecture = net.options().architecture; // lives on
        CHECK(Net(options).entry_count() == net.entry_count());
    }
    options.architecture = "resnet27";
    CHECK_THROWS(INVALID, "resnet27", Net(options));
    const Net unnamed(small_options());
    CHECK(std::strcmp(unnamed.options().architecture, "resnet18") == 0);
}

void entries_are_read_and_written() {
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

void freezing_and_modes() {
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

static std::vector<std::uint8_t> bytes_of(const std::string &path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void files_and_reports(const std::filesystem::path &folder) {
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
    // Only a network that is made from the file assumes something.
    CHECK(*report.property(BACKBONE_REPORT_ASSUMED) == '\0' && *found.property(BACKBONE_REPORT_ASSUMED) != '\0');
    const std::string found_in_file = found.json();

    // Under detectron2's names, the same weights.
    const std::filesystem::path renamed = folder / "renamed.pth";
    net.save_weights(renamed, "detectron2");
    Net of_renamed(small_options());
    const backbone::Report from_renamed = of_renamed.load_weights(renamed, strict);
    CHECK(std::strcmp(from_renamed.property(BACKBONE_REPORT_DIALECT), "detectron2") == 0);
    CHECK(of_renamed.read("layer4.1.conv2.weight") == net.read("layer4.1.conv2.weight"));
    CHECK_THROWS(INVALID, "nobody", net.save_weights(renamed, "nobody"));

    // The same from memory, whatever it is made of: chars would be a path.
    const std::vector<std::uint8_t> file = bytes_of(path);
    Net from_bytes(small_options());
    const backbone::Report in_memory = from_bytes.load_weights(file, strict);
    CHECK(from_bytes.read("layer4.1.conv2.weight") == net.read("layer4.1.conv2.weight"));
    CHECK(std::strcmp(in_memory.json(), report.json()) == 0);
    const auto *first_byte = reinterpret_cast<const std::byte *>(file.data());
    const std::vector<std::byte> file_of_bytes(first_byte, first_byte + file.size());
    CHECK(std::strcmp(backbone::inspect(file_of_bytes).json(), backbone::inspect(path).json()) == 0);
    const Net described_in_memory = Net::from_memory({file.data(), file.size()}, backbone::Options(), strict, &found);
    CHECK(described_in_memory.read("bn1.bias") == net.read("bn1.bias"));
    CHECK(found.json() == found_in_file);
    CHECK_THROWS(BACKBONE_STATUS_BAD_CHECKPOINT, "memory of 0 bytes", net.load_weights(backbone::Bytes(nullptr, 0)));
    CHECK_THROWS(BACKBONE_STATUS_BAD_CHECKPOINT, "memory of 3 bytes", backbone::inspect(std::array<std::byte, 3>{}));
    CHECK_THROWS(BACKBONE_STATUS_BAD_CHECKPOINT, "memory of 9 bytes", Net::from_memory(backbone::Bytes(first_byte, 9)));
    CHECK_THROWS(INVALID, "NULL", net.load_weights(backbone::Bytes(nullptr, 9)));

    // A network that does not divide its inputs as those weights want it.
    backbone::Options undivided = small_options();
    undivided.std_dev = nullptr;
    Net doubtful(undivided);
    const backbone::Report doubt = doubtful.load_weights(path);
    CHECK(doubt.warning_count() == 1 && std::strstr(doubt.warning(0), "std_dev") != nullptr);

    // A part of the weights is loaded only if that is asked for.
    backbone::Options shallow = small_options();
    shallow.out_stages = BACKBONE_STAGE_C2;
    const std::string part = folder / "part";
    Net(shallow).save_weights(part);
    CHECK_THROWS(BACKBONE_STATUS_MISMATCH, "layer2.0.conv1.weight", other.load_weights(part));
    CHECK_THROWS(BACKBONE_STATUS_MISMATCH, "allow_missing", other.load_weights(part, strict));
    CHECK(other.read("bn1.bias") == net.read("bn1.bias"));
    backbone::LoadOptions partial = strict;
    partial.allow_missing = 1;
    CHECK(other.load_weights(part, partial).count(BACKBONE_REPORT_MISSING) == 75);
    CHECK(other.read("bn1.bias") == std::vector<float>(4, 0.0f));
    CHECK(other.read("layer4.1.conv2.weight") == net.read("layer4.1.conv2.weight"));

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
