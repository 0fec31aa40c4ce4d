/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * The reference of the tests of the bindings: reads commands, a line each, and says what C makes of them. Each binding
 * has a program of the same kind in bindings/LANGUAGE/tests/, whose output must be the same, byte for byte.
 *
 *     version                                          version TEXT abi NUMBER
 *     layout STRUCT...                                 STRUCT SIZE, and FIELD OFFSET SIZE for each field
 *     create DEPTH IN_CHANNELS BASE_CHANNELS OUT_STAGES FROZEN_STAGES NORM_EVAL ZERO_INIT_RESIDUAL THREADS
 *            CHANNEL_ORDER ARITHMETIC STYLE NORM_EPS MEAN STD_DEV      created; the last two are 1,2,3 or -
 *     from_file PATH STRICT KEY PREFIX ALLOW_MISSING IGNORE_MODULES MAX_STREAM_BYTES
 *                                                      created, and the report; - is NULL
 *     options                                          what create takes, the floats by their bits
 *     init SEED                                        ok
 *     load PATH ...                                    ok, and the report; the words are those of from_file
 *     save PATH                                        ok
 *     freeze N, training 0|1                           ok, training 0|1
 *     shapes N C H W                                   shapes, a row of four for each stage
 *     forward DTYPE LAYOUT N C H W INPUT OUTPUT        ok; reads the file INPUT, writes all features to OUTPUT
 *     forward_into ...                                 the same, by the function that takes the caller's buffers
 *     close                                            closed
 *
 * DTYPE is float32 or uint8, LAYOUT nchw or nhwc (of the input; features are NCHW). A failure is `error STATUS
 * MESSAGE`, with ` report JSON` where there is one. The programs of the bindings know a few more:
 *
 *     open PATH                                        ok; opens the library
 *     functions                                        the names of all functions (Rust)
 *     forward_short, forward_fewer ...                 forward_into with outputs that lack an element, and with one
 *     churn COUNT                                      networks that are lost with their first forward
 *     race                                             a network that is closed during a forward
 */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"

enum { WORDS = 16, CHANNELS = 16 };

static backbone *net;
static char *words[WORDS];

static void fail(const char *what) {
    fprintf(stderr, "probe: %s\n", what);
    exit(2);
}

static int32_t number(int index) { return (int32_t)strtol(words[index], NULL, 10); }
static const char *text_or_null(int index) { return strcmp(words[index], "-") == 0 ? NULL : words[index]; }

/* Prints `success` or the error, and what was reported. */
static void say(backbone_status status, const char *success, backbone_report *report) {
    const char *json = NULL;
    if (status == BACKBONE_STATUS_OK)
        fputs(success, stdout);
    else
        printf("error %d %s", (int)status, backbone_last_error_message());
    if (report != NULL && backbone_report_to_json(report, &json) == BACKBONE_STATUS_OK) printf(" report %s", json);
    putchar('\n');
    backbone_report_free(report);
}

/* ---- The layout of structs -------------------------------------------------------------------------------------- */

#define SIZE(type) printf("%s %zu\n", #type, sizeof(type))
#define FIELD(type, field) printf("%s %zu %zu\n", #field, offsetof(type, field), sizeof(((type *)0)->field))

/* The test writes it, with all structs of the header: `if (strcmp(name, "...") == 0) { SIZE(...); FIELD(...); }`. */
static void layout(const char *name) {
#include "layout.inc"
}

/* ---- Options ---------------------------------------------------------------------------------------------------- */

/* A new network takes the place of the old one, a failure does not. */
static void created(backbone_status status, backbone *made, backbone_report *report) {
    if (status == BACKBONE_STATUS_OK) {
        backbone_free(net);
        net = made;
    }
    say(status, "created", report);
}

static const float *numbers(int index, float out[CHANNELS]) {
    if (text_or_null(index) == NULL) return NULL;
    const char *next = words[index];
    for (int i = 0; i < CHANNELS && *next != '\0'; i++) {
        char *end;
        out[i] = strtof(next, &end);
        next = *end == ',' ? end + 1 : end;
    }
    return out;
}

static void create(void) {
    float mean[CHANNELS], std_dev[CHANNELS];
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    int32_t *fields[] = {&options.depth,         &options.in_channels, &options.base_channels,
                         (int32_t *)&options.out_stages, &options.frozen_stages, &options.norm_eval,
                         &options.zero_init_residual, &options.threads, &options.channel_order,
                         &options.arithmetic,    &options.style};
    for (int i = 0; i < 11; i++) *fields[i] = number(i + 1);
    options.norm_eps = strtof(words[12], NULL);
    options.mean = numbers(13, mean);
    options.std_dev = numbers(14, std_dev);
    backbone *made = NULL;
    backbone_status status = backbone_create(&options, &made);
    created(status, made, NULL);
}

static void print_bits(const float *values, int32_t count) {
    if (values == NULL) printf(" -");
    for (int32_t i = 0; values != NULL && i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        printf("%c%" PRIu32, i == 0 ? ' ' : ',', bits);
    }
}

static void options(void) {
    backbone_options o = {.struct_size = sizeof o};
    backbone_status status = backbone_get_options(net, &o);
    if (status != BACKBONE_STATUS_OK) {
        say(status, "", NULL);
        return;
    }
    printf("options %d %d %d %u %d %d %d %d %d %d %d", o.depth, o.in_channels, o.base_channels, o.out_stages,
           o.frozen_stages, o.norm_eval, o.zero_init_residual, o.threads, o.channel_order, o.arithmetic, o.style);
    print_bits(&o.norm_eps, 1);
    print_bits(o.mean, o.in_channels);
    print_bits(o.std_dev, o.in_channels);
    putchar('\n');
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

static backbone_load_options load_options(void) {
    backbone_load_options result;
    backbone_load_options_init(&result, sizeof result);
    result.strict = number(2);
    result.key = text_or_null(3);
    result.prefix = text_or_null(4);
    result.allow_missing = number(5);
    result.ignore_modules = number(6);
    result.max_stream_bytes = strtoull(words[7], NULL, 10);
    return result;
}

static void load(void) {
    backbone_load_options how = load_options();
    backbone_report *report = NULL;
    backbone_status status = backbone_load_weights_with(net, words[1], &how, &report);
    say(status, "ok", report);
}

static void from_file(void) {
    backbone_load_options how = load_options();
    backbone_report *report = NULL;
    backbone *made = NULL;
    backbone_status status = backbone_create_from_file(words[1], NULL, &how, &made, &report);
    created(status, made, report);
}

static void training(void) {
    int32_t value = -1;
    backbone_status status = backbone_set_training(net, number(1));
    if (status == BACKBONE_STATUS_OK) status = backbone_get_training(net, &value);
    say(status, value == 1 ? "training 1" : "training 0", NULL);
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/* The number of stages and their shapes, or -1 after the error was printed. */
static int output_shapes(const int64_t shape[4], int64_t out[4][4]) {
    backbone_options o = {.struct_size = sizeof o};
    int count = 0;
    backbone_status status = backbone_get_options(net, &o);
    for (uint32_t bits = o.out_stages; bits != 0; bits >>= 1) count += bits & 1;
    if (status == BACKBONE_STATUS_OK) status = backbone_output_shapes(net, shape, &out[0][0], (size_t)count);
    if (status == BACKBONE_STATUS_OK) return count;
    say(status, "", NULL);
    return -1;
}

static void read_shape(int first, int64_t shape[4]) {
    for (int i = 0; i < 4; i++) shape[i] = strtoll(words[first + i], NULL, 10);
}

static void shapes(void) {
    int64_t shape[4], out[4][4];
    read_shape(1, shape);
    int count = output_shapes(shape, out);
    if (count < 0) return;
    printf("shapes");
    for (int i = 0; i < 4 * count; i++) printf(" %" PRId64, out[i / 4][i % 4]);
    putchar('\n');
}

static void *read_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    void *memory = malloc(size + 1);
    if (file == NULL || memory == NULL || fread(memory, 1, size, file) != size) fail(path);
    fclose(file);
    return memory;
}

static void forward(void) {
    int64_t shape[4], out[4][4];
    read_shape(3, shape);
    int count = output_shapes(shape, out);
    if (count < 0) return;
    int bytes = strcmp(words[1], "uint8") == 0, nhwc = strcmp(words[2], "nhwc") == 0;
    int64_t n = shape[0], c = shape[1], h = shape[2], w = shape[3];
    backbone_tensor input = {read_file(words[7], (size_t)(n * c * h * w) * (bytes ? 1 : sizeof(float))),
                             bytes ? BACKBONE_DTYPE_UINT8 : BACKBONE_DTYPE_FLOAT32, 0, {n, c, h, w},
                             {c * h * w, nhwc ? 1 : h * w, nhwc ? w * c : w, nhwc ? c : 1}};
    backbone_tensor outputs[4];
    for (int i = 0; i < count; i++) {
        int64_t *s = out[i];
        outputs[i] = (backbone_tensor){malloc((size_t)(s[0] * s[1] * s[2] * s[3]) * sizeof(float) + 1),
                                       BACKBONE_DTYPE_FLOAT32, 0, {s[0], s[1], s[2], s[3]},
                                       {s[1] * s[2] * s[3], s[2] * s[3], s[3], 1}};
        if (outputs[i].data == NULL) fail("no memory");
    }
    backbone_status status = backbone_forward(net, &input, outputs, (size_t)count);
    FILE *file = fopen(words[8], "wb");
    if (file == NULL) fail(words[8]);
    for (int i = 0; i < count; i++) {
        size_t elements = (size_t)(out[i][0] * out[i][1] * out[i][2] * out[i][3]);
        if (status == BACKBONE_STATUS_OK) fwrite(outputs[i].data, sizeof(float), elements, file);
        free(outputs[i].data);
    }
    fclose(file);
    free(input.data);
    say(status, "ok", NULL);
}

/* ---- The commands ----------------------------------------------------------------------------------------------- */

static void run(int count) {
    const char *command = words[0];
    if (strcmp(command, "version") == 0) {
        printf("version %s abi %d\n", backbone_version_string(), (int)backbone_abi_version());
    } else if (strcmp(command, "layout") == 0) {
        for (int i = 1; i < count; i++) layout(words[i]);
    } else if (strcmp(command, "create") == 0) {
        create();
    } else if (strcmp(command, "from_file") == 0) {
        from_file();
    } else if (strcmp(command, "options") == 0) {
        options();
    } else if (strcmp(command, "init") == 0) {
        say(backbone_init_weights(net, strtoull(words[1], NULL, 10)), "ok", NULL);
    } else if (strcmp(command, "load") == 0) {
        load();
    } else if (strcmp(command, "save") == 0) {
        say(backbone_save_weights(net, words[1]), "ok", NULL);
    } else if (strcmp(command, "freeze") == 0) {
        say(backbone_freeze(net, number(1)), "ok", NULL);
    } else if (strcmp(command, "training") == 0) {
        training();
    } else if (strcmp(command, "shapes") == 0) {
        shapes();
    } else if (strcmp(command, "forward") == 0 || strcmp(command, "forward_into") == 0) {
        forward();
    } else if (strcmp(command, "close") == 0) {
        backbone_free(net);
        net = NULL;
        puts("closed");
    } else {
        fail(command);
    }
    fflush(stdout);
}

int main(void) {
    static char line[65536];
    while (fgets(line, sizeof line, stdin) != NULL) {
        int count = 0;
        for (char *word = strtok(line, " \n"); word != NULL && count < WORDS; word = strtok(NULL, " \n"))
            words[count++] = word;
        if (count > 0) run(count);
    }
    backbone_free(net);
    return 0;
}
