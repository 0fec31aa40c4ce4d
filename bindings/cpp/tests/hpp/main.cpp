/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * backbone.hpp: every function of it gives what the C function gives, bit for bit; each status is an exception; owners
 * move and free once (valgrind looks on).
 *
 * Usage: hpp [--valgrind]
 */

#include "check.hpp"

#include <cstdlib>
#include <fstream>
#include <utility>

/* ---- Memory that runs out --------------------------------------------------------------------------------------- */

static bool memory_can_run_out = true;
static bool out_of_memory = false;

/// The library allocates only through this function, which this program replaces.
extern "C" int posix_memalign(void **out, std::size_t alignment, std::size_t size) noexcept {
    if (out_of_memory) return 12; // ENOMEM
    *out = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    return *out == nullptr ? 12 : 0;
}

/* ---- Errors and owners ------------------------------------------------------------------------------------------ */

void every_status_is_an_exception(const std::filesystem::path &folder) {
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

void owners_move() {
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

int main(int argc, char **argv) {
    // Where posix_memalign is valgrind's own.
    memory_can_run_out = !(argc == 2 && std::strcmp(argv[1], "--valgrind") == 0);
    char name[] = "/tmp/backbone-hpp-XXXXXX";
    if (mkdtemp(name) == nullptr) {
        std::perror(name);
        return EXIT_FAILURE;
    }
    const std::filesystem::path folder = name;
    forwards_equal_those_of_c();
    all_outputs_equal_those_of_c();
    shapes_and_views();
    options_are_those_of_c();
    networks_are_created_by_name();
    entries_are_read_and_written();
    freezing_and_modes();
    files_and_reports(folder);
    every_status_is_an_exception(folder);
    owners_move();
    profiles_have_all_layers();
    warnings_are_those_of_c();
    cancel_ends_calls_in_progress();
    training_equals_that_of_c();
    gradients_are_missing_added_and_of_inputs();
    stale_and_not_finite_are_exceptions();
    training_is_saved_and_loaded(folder);
    gradients_of_features_equal_those_of_c();
    statistics_equal_those_of_c();
    tapes_and_optimizers_are_freed_in_any_order();
    std::filesystem::remove_all(folder);
    std::printf("%d checks failed\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
