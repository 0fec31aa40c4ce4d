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
 *     architectures                                    architectures, and the names that options.architecture accepts
 *     named ARCHITECTURE DEPTH                         created, with 4 base channels; - leaves an option unset (a depth
 *                                                      whose default cannot be left out: sets 0)
 *     build FIELD=VALUE...                             created; a list is 1,2,3
 *     from_file PATH STRICT KEY PREFIX ALLOW_MISSING IGNORE_MODULES MAX_STREAM_BYTES HEAD FIELD=VALUE...
 *                                                      created, and the report; - is NULL
 *     options                                          the arguments of create, the floats by their bits, the fields
 *                                                      from num_classes on, the lists at their end, and the name of
 *                                                      the architecture
 *     init SEED                                        ok
 *     load PATH ...                                    ok, and the report; the words are those of from_file
 *     save PATH                                        ok
 *     freeze N, training 0|1                           ok, training 0|1
 *     shapes N C H W                                   shapes, a row of four for each output
 *     forward DTYPE LAYOUT N C H W INPUT OUTPUT        ok; reads the file INPUT, writes all outputs to OUTPUT
 *     forward_into ...                                 the same, by the function that takes the caller's buffers
 *     close                                            closed
 *
 * Training, of one tape and one optimiser:
 *
 *     trainable WHICH                                  trainable COUNT
 *     slot INDEX                                       slot OFFSET COUNT
 *     tape INPUT_GRADIENT RETAIN                       ok; a new tape
 *     forward_train ...                                ok; the words are those of forward
 *     bytes                                            bytes NUMBER; what the tape holds
 *     loss LABELS SMOOTHING                            loss BITS; of the last output of forward_train
 *     backward loss|features ACCUMULATE OUTPUT         ok; from the gradient of `loss`, with the others missing, or
 *                                                      from the features as their own gradients. Writes the gradients
 *                                                      to OUTPUT
 *     backward_input ...                               the same, with the gradient of the input before the others
 *     feature_gradients loss|features WANTED OUTPUT    ok; from the same gradients those with respect to outputs, of
 *                                                      which WANTED has a 1 for each that is written, else a 0
 *     clip MAX_NORM                                    norm BITS
 *     optimizer KIND NESTEROV MOMENTUM DAMPENING BETA1 BETA2 EPSILON WEIGHT_DECAY GROUP...
 *                                                      ok; - is the default; a GROUP is
 *                                                      PREFIX:KINDS:FACTOR:WEIGHT_DECAY
 *     step LEARNING_RATE ALLOW_NOT_FINITE              ok
 *     spoil                                            ok; makes the first gradient infinite
 *     follow                                           ok
 *     parameters OUTPUT                                ok; reads and writes all trainable parameters
 *     save_training PATH LEARNING_RATE                 ok
 *     load_training PATH                               ok, and the report
 *     save_as PATH NAMES                               ok; under the names of other writers
 *     free tape|optimizer                              ok
 *
 * DTYPE is float32 or uint8, LAYOUT nchw or nhwc (of the input; features are NCHW). A failure is `error STATUS
 * MESSAGE`, with ` report JSON` if it has one. The programs of the bindings know a few more:
 *
 *     open PATH                                        ok; opens the library
 *     functions                                        the names of all functions (Rust)
 *     forward_short, forward_fewer ...                 forward_into with outputs that lack an element, and with one
 *     feature_gradients_short, ..._fewer ...           feature_gradients into memory that lacks an element, and of one
 *                                                      output (not Ruby, which makes the memory)
 *     churn COUNT                                      networks that are lost with their first forward pass
 *     race                                             a network that is closed during a forward pass
 *     cancel ...                                       a forward pass that another thread cancels; the words are those
 *                                                      of forward
 *     worker                                           training in another thread of JavaScript, and here (Node.js)
 *     churn_training COUNT                             tapes and optimisers that are lost with their first use
 */

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"

enum { WORDS = 32, CHANNELS = 16, OUTPUTS = 7, WIDTHS = 256 };

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

/* A new network replaces the old one, a failure does not. */
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

static void named(void) {
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    options.architecture = text_or_null(1);
    options.depth = text_or_null(2) == NULL ? 0 : number(2);
    options.base_channels = 4;
    options.threads = 2;
    backbone *made = NULL;
    backbone_status status = backbone_create(&options, &made);
    created(status, made, NULL);
}

/* The fields that `build` and `from_file` set, and those that only newer structs have, which `options` prints. */
static const struct {
    const char *name;
    size_t offset;
    int is_new;
} fields[] = {
    {"depth", offsetof(backbone_options, depth), 0},
    {"in_channels", offsetof(backbone_options, in_channels), 0},
    {"base_channels", offsetof(backbone_options, base_channels), 0},
    {"out_stages", offsetof(backbone_options, out_stages), 0},
    {"threads", offsetof(backbone_options, threads), 0},
    {"num_classes", offsetof(backbone_options, num_classes), 1},
    {"output_stride", offsetof(backbone_options, output_stride), 1},
    {"dilated_stages", offsetof(backbone_options, dilated_stages), 1},
    {"dilation_rule", offsetof(backbone_options, dilation_rule), 1},
    {"block", offsetof(backbone_options, block), 1},
    {"groups", offsetof(backbone_options, groups), 1},
    {"width_per_group", offsetof(backbone_options, width_per_group), 1},
    {"stem", offsetof(backbone_options, stem), 1},
    {"stem_channels", offsetof(backbone_options, stem_channels), 1},
    {"stem_pooling", offsetof(backbone_options, stem_pooling), 1},
    {"shortcut", offsetof(backbone_options, shortcut), 1},
    {"norm", offsetof(backbone_options, norm), 1},
    {"attention", offsetof(backbone_options, attention), 1},
    {"anti_aliasing", offsetof(backbone_options, anti_aliasing), 1},
    {"preactivation", offsetof(backbone_options, preactivation), 1},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static int32_t list(const char *next, int32_t *out, int32_t most) {
    int32_t count = 0;
    for (char *end; *next != '\0' && count < most; next = *end == ',' ? end + 1 : end)
        out[count++] = (int32_t)strtol(next, &end, 10);
    return count;
}

/* The defaults with what the words from `first` on say. */
static backbone_options given_options(int first, int count) {
    static int32_t widths[WIDTHS];
    backbone_options options;
    backbone_options_init(&options, sizeof options);
    for (int i = first; i < count; i++) {
        const char *value = strchr(words[i], '=');
        if (value == NULL) fail(words[i]);
        size_t length = (size_t)(value++ - words[i]);
        int found = 0;
        for (int field = 0; field < FIELDS && !found; field++) {
            found = strlen(fields[field].name) == length && strncmp(fields[field].name, words[i], length) == 0;
            if (found) *(int32_t *)((char *)&options + fields[field].offset) = (int32_t)strtol(value, NULL, 10);
        }
        if (found) continue;
        if (strncmp(words[i], "architecture=", length + 1) == 0) {
            options.architecture = value;
        } else if (strncmp(words[i], "block_counts=", length + 1) == 0) {
            list(value, options.block_counts, 4);
        } else if (strncmp(words[i], "block_widths=", length + 1) == 0) {
            options.block_width_count = list(value, widths, WIDTHS);
            options.block_widths = widths;
        } else {
            fail(words[i]);
        }
    }
    return options;
}

static void build(int count) {
    backbone_options options = given_options(1, count);
    backbone *made = NULL;
    backbone_status status = backbone_create(&options, &made);
    created(status, made, NULL);
}

static void architectures(void) {
    printf("architectures");
    for (size_t i = 0; i < backbone_architecture_count(); i++) printf(" %s", backbone_architecture_name(i));
    putchar('\n');
}

static void print_bits(const float *values, int32_t count) {
    if (values == NULL) printf(" -");
    for (int32_t i = 0; values != NULL && i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        printf("%c%" PRIu32, i == 0 ? ' ' : ',', bits);
    }
}

static void print_list(const int32_t *values, int32_t count) {
    if (values == NULL) printf(" -");
    for (int32_t i = 0; values != NULL && i < count; i++) printf("%c%" PRId32, i == 0 ? ' ' : ',', values[i]);
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
    for (int i = 0; i < FIELDS; i++)
        if (fields[i].is_new) printf(" %" PRId32, *(int32_t *)((char *)&o + fields[i].offset));
    print_list(o.block_counts, 4);
    print_list(o.block_widths, o.block_width_count);
    printf(" %s", o.architecture);
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
    result.head = number(8);
    return result;
}

static void load(void) {
    backbone_load_options how = load_options();
    backbone_report *report = NULL;
    backbone_status status = backbone_load_weights_with(net, words[1], &how, &report);
    say(status, "ok", report);
}

static void from_file(int count) {
    backbone_load_options how = load_options();
    backbone_options options = given_options(9, count);
    backbone_report *report = NULL;
    backbone *made = NULL;
    backbone_status status = backbone_create_from_file(words[1], &options, &how, &made, &report);
    created(status, made, report);
}

static void training(void) {
    int32_t value = -1;
    backbone_status status = backbone_set_training(net, number(1));
    if (status == BACKBONE_STATUS_OK) status = backbone_get_training(net, &value);
    say(status, value == 1 ? "training 1" : "training 0", NULL);
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/* The number of outputs and their shapes, or -1 after the error was printed. */
static int output_shapes(const int64_t shape[4], int64_t out[OUTPUTS][4]) {
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
    int64_t shape[4], out[OUTPUTS][4];
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

static size_t elements(const backbone_tensor *tensor) {
    return (size_t)(tensor->shape[0] * tensor->shape[1] * tensor->shape[2] * tensor->shape[3]);
}

/* A tensor, NCHW, in new memory. */
static backbone_tensor new_tensor(const int64_t *s) {
    backbone_tensor result = {NULL, BACKBONE_DTYPE_FLOAT32, 0, {s[0], s[1], s[2], s[3]},
                              {s[1] * s[2] * s[3], s[2] * s[3], s[3], 1}};
    result.data = malloc(elements(&result) * sizeof(float) + 1);
    if (result.data == NULL) fail("no memory");
    return result;
}

static void write_file(const char *path, const backbone_tensor *tensors, int count, const float *more, size_t size) {
    FILE *file = fopen(path, "wb");
    if (file == NULL) fail(path);
    for (int i = 0; i < count; i++) fwrite(tensors[i].data, sizeof(float), elements(&tensors[i]), file);
    fwrite(more, sizeof(float), size, file);
    fclose(file);
}

static void free_tensors(backbone_tensor *tensors, int count) {
    for (int i = 0; i < count; i++) free(tensors[i].data);
}

static backbone_tape *tape;
static backbone_tensor images, features[OUTPUTS]; /* of the last forward_train */
static int feature_count;

static void forward(int training) {
    int64_t shape[4], out[OUTPUTS][4];
    read_shape(3, shape);
    int count = output_shapes(shape, out);
    if (count < 0) return;
    int bytes = strcmp(words[1], "uint8") == 0, nhwc = strcmp(words[2], "nhwc") == 0;
    int64_t n = shape[0], c = shape[1], h = shape[2], w = shape[3];
    backbone_tensor input = {read_file(words[7], (size_t)(n * c * h * w) * (bytes ? 1 : sizeof(float))),
                             bytes ? BACKBONE_DTYPE_UINT8 : BACKBONE_DTYPE_FLOAT32, 0, {n, c, h, w},
                             {c * h * w, nhwc ? 1 : h * w, nhwc ? w * c : w, nhwc ? c : 1}};
    backbone_tensor outputs[OUTPUTS];
    for (int i = 0; i < count; i++) outputs[i] = new_tensor(out[i]);
    backbone_status status = training ? backbone_forward_train(net, tape, &input, outputs, (size_t)count)
                                      : backbone_forward(net, &input, outputs, (size_t)count);
    write_file(words[8], outputs, status == BACKBONE_STATUS_OK ? count : 0, NULL, 0);
    if (training && status == BACKBONE_STATUS_OK) {
        free_tensors(features, feature_count);
        memcpy(features, outputs, sizeof outputs);
        feature_count = count;
        images = input;
    } else {
        free_tensors(outputs, count);
    }
    free(input.data);
    say(status, "ok", NULL);
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

static backbone_optimizer *optimizer;
static float *gradients;
static size_t gradient_count;
static backbone_tensor loss_gradient;

static void say_bits(backbone_status status, const char *name, double value) {
    uint64_t bits;
    char text[64];
    memcpy(&bits, &value, sizeof bits);
    snprintf(text, sizeof text, "%s %" PRIu64, name, bits);
    say(status, text, NULL);
}

static void say_sizes(backbone_status status, const char *name, size_t first, const size_t *second) {
    char text[64];
    if (second == NULL)
        snprintf(text, sizeof text, "%s %zu", name, first);
    else
        snprintf(text, sizeof text, "%s %zu %zu", name, first, *second);
    say(status, text, NULL);
}

/* Of the parameters that are trainable now. */
static void new_gradients(void) {
    free(gradients);
    gradients = NULL;
    gradient_count = 0;
    if (backbone_trainable_count(net, &gradient_count) != BACKBONE_STATUS_OK) return;
    gradients = calloc(gradient_count + 1, sizeof *gradients);
}

static void new_tape(void) {
    backbone_tape_options options;
    backbone_tape_options_init(&options, sizeof options);
    options.input_gradient = number(1);
    options.retain = number(2);
    backbone_tape_free(tape);
    say(backbone_tape_create(net, &options, &tape), "ok", NULL);
}

static void loss(void) {
    int64_t labels[WORDS];
    size_t count = 0;
    double value = 0;
    for (char *next = words[1]; *next != '\0'; next += *next == ',') labels[count++] = strtoll(next, &next, 10);
    free(loss_gradient.data);
    loss_gradient = new_tensor(features[feature_count - 1].shape);
    backbone_status status = backbone_cross_entropy(&features[feature_count - 1], labels, count,
                                                    strtod(words[2], NULL), &value, &loss_gradient);
    say_bits(status, "loss", value);
}

static void given_gradients(backbone_tensor given[OUTPUTS]) {
    memcpy(given, features, sizeof features);
    if (strcmp(words[1], "loss") != 0) return;
    for (int i = 0; i < feature_count; i++) given[i].data = NULL;
    given[feature_count - 1] = loss_gradient;
}

static void backward(int with_input) {
    backbone_tensor given[OUTPUTS], input = {0};
    given_gradients(given);
    if (number(2) == 0) new_gradients();
    if (with_input) input = new_tensor(images.shape);
    backbone_status status = backbone_backward(net, tape, given, (size_t)feature_count, with_input ? &input : NULL,
                                               gradients, gradient_count, (uint32_t)number(2));
    if (status == BACKBONE_STATUS_OK) write_file(words[3], &input, with_input, gradients, gradient_count);
    free(input.data);
    say(status, "ok", NULL);
}

static void feature_gradients(void) {
    backbone_tensor given[OUTPUTS], wanted[OUTPUTS] = {{0}}, written[OUTPUTS];
    int count = 0;
    given_gradients(given);
    for (int i = 0; i < feature_count; i++)
        if (words[2][i] == '1') wanted[i] = written[count++] = new_tensor(features[i].shape);
    backbone_status status = backbone_feature_gradients(net, tape, given, (size_t)feature_count, wanted);
    if (status == BACKBONE_STATUS_OK) write_file(words[3], written, count, NULL, 0);
    free_tensors(written, count);
    say(status, "ok", NULL);
}

static void set_double(int index, double *field) {
    if (text_or_null(index) != NULL) *field = strtod(words[index], NULL);
}

static void new_optimizer(int count) {
    backbone_optimizer_options options;
    backbone_parameter_group groups[WORDS];
    backbone_status status = backbone_optimizer_options_init(&options, sizeof options, number(1));
    if (status != BACKBONE_STATUS_OK) {
        say(status, "", NULL);
        return;
    }
    options.nesterov = number(2);
    double *fields[] = {&options.momentum, &options.dampening, &options.beta1,
                        &options.beta2,    &options.epsilon,   &options.weight_decay};
    for (int i = 0; i < 6; i++) set_double(3 + i, fields[i]);
    options.groups = groups;
    for (int i = 9; i < count; i++) {
        backbone_parameter_group *group = &groups[options.group_count++];
        char *next = strchr(words[i], ':');
        *next++ = '\0';
        group->prefix = text_or_null(i);
        group->kinds = (uint32_t)strtoul(next, &next, 10);
        group->reserved = 0;
        group->learning_rate_factor = strtod(next + 1, &next);
        group->weight_decay = strtod(next + 1, NULL);
    }
    backbone_optimizer *made = NULL;
    status = backbone_optimizer_create(net, &options, &made);
    if (status == BACKBONE_STATUS_OK) {
        backbone_optimizer_free(optimizer);
        optimizer = made;
    }
    say(status, "ok", NULL);
}

static void parameters(void) {
    new_gradients();
    backbone_status status = backbone_read_trainable(net, gradients, gradient_count);
    if (status == BACKBONE_STATUS_OK) status = backbone_write_trainable(net, gradients, gradient_count);
    if (status == BACKBONE_STATUS_OK) write_file(words[1], NULL, 0, gradients, gradient_count);
    say(status, "ok", NULL);
}

static void free_training(void) {
    backbone_tape_free(tape);
    backbone_optimizer_free(optimizer);
    tape = NULL;
    optimizer = NULL;
    free_tensors(features, feature_count);
    free(loss_gradient.data);
    free(gradients);
}

/* 1 for a known command. */
static int train(const char *command, int count) {
    size_t first = 0, second = 0;
    double norm = 0;
    backbone_report *report = NULL;
    if (strcmp(command, "trainable") == 0) {
        backbone_status status = backbone_set_trainable(net, number(1));
        if (status == BACKBONE_STATUS_OK) status = backbone_trainable_count(net, &first);
        say_sizes(status, "trainable", first, NULL);
    } else if (strcmp(command, "slot") == 0) {
        backbone_status status = backbone_trainable_slot(net, (size_t)number(1), &first, &second);
        say_sizes(status, "slot", first, &second);
    } else if (strcmp(command, "tape") == 0) {
        new_tape();
    } else if (strcmp(command, "forward_train") == 0) {
        forward(1);
    } else if (strcmp(command, "bytes") == 0) {
        backbone_status status = backbone_tape_bytes(net, tape, &first);
        say_sizes(status, "bytes", first, NULL);
    } else if (strcmp(command, "loss") == 0) {
        loss();
    } else if (strcmp(command, "backward") == 0) {
        backward(0);
    } else if (strcmp(command, "backward_input") == 0) {
        backward(1);
    } else if (strcmp(command, "feature_gradients") == 0) {
        feature_gradients();
    } else if (strcmp(command, "clip") == 0) {
        backbone_status status =
            backbone_clip_gradients(net, gradients, gradient_count, strtod(words[1], NULL), &norm);
        say_bits(status, "norm", norm);
    } else if (strcmp(command, "optimizer") == 0) {
        new_optimizer(count);
    } else if (strcmp(command, "step") == 0) {
        backbone_status status = backbone_optimizer_step(net, optimizer, gradients, gradient_count,
                                                         strtod(words[1], NULL), (uint32_t)number(2));
        say(status, "ok", NULL);
    } else if (strcmp(command, "spoil") == 0) {
        gradients[0] = INFINITY;
        puts("ok");
    } else if (strcmp(command, "follow") == 0) {
        say(backbone_optimizer_follow(net, optimizer), "ok", NULL);
    } else if (strcmp(command, "parameters") == 0) {
        parameters();
    } else if (strcmp(command, "save_training") == 0) {
        say(backbone_save_training(net, optimizer, words[1], strtod(words[2], NULL)), "ok", NULL);
    } else if (strcmp(command, "load_training") == 0) {
        backbone_status status = backbone_load_training(net, optimizer, words[1], &report);
        say(status, "ok", report);
    } else if (strcmp(command, "save_as") == 0) {
        say(backbone_save_weights_with(net, words[1], words[2]), "ok", NULL);
    } else if (strcmp(command, "free") == 0) {
        if (strcmp(words[1], "tape") == 0) {
            backbone_tape_free(tape);
            tape = NULL;
        } else {
            backbone_optimizer_free(optimizer);
            optimizer = NULL;
        }
        puts("ok");
    } else {
        return 0;
    }
    return 1;
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
    } else if (strcmp(command, "named") == 0) {
        named();
    } else if (strcmp(command, "build") == 0) {
        build(count);
    } else if (strcmp(command, "architectures") == 0) {
        architectures();
    } else if (strcmp(command, "from_file") == 0) {
        from_file(count);
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
        forward(0);
    } else if (strcmp(command, "close") == 0) {
        backbone_free(net);
        net = NULL;
        puts("closed");
    } else if (!train(command, count)) {
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
    free_training();
    return 0;
}
