/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * The part of the binding for Node.js that has to be C: Node has no way of its own to call a library. It opens
 * libbackbone, hands values over and keeps networks alive during calls; backbone.js, the only one that loads it, is
 * what people use, checks the types of all arguments and documents them.
 *
 * Node-API 8 (Node 18 and later), from any number of worker threads. Built as backbone.js says.
 */

#define NAPI_VERSION 8
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <node_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backbone.h"

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

static napi_value string_of(napi_env env, const char *text) {
    napi_value result = NULL;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
    return result;
}

static napi_value number_of(napi_env env, double number) {
    napi_value result = NULL;
    napi_create_double(env, number, &result);
    return result;
}

/* An Error with `status`, and `report` unless it is NULL. */
static napi_value error_of(napi_env env, int32_t status, const char *message, const char *report) {
    napi_value error = NULL;
    napi_create_error(env, NULL, string_of(env, message), &error);
    napi_set_named_property(env, error, "status", number_of(env, status));
    if (report != NULL) napi_set_named_property(env, error, "report", string_of(env, report));
    return error;
}

static napi_value fail(napi_env env, int32_t status, const char *message) {
    napi_throw(env, error_of(env, status, message, NULL));
    return NULL;
}

/* ---- The library ------------------------------------------------------------------------------------------------ */

#define FUNCTIONS(F)                                                                                                  \
    F(version_string) F(last_error_message) F(options_init) F(architecture_count) F(architecture_name) F(create)      \
    F(free) F(get_options) F(init_weights) F(load_options_init) F(load_weights_with) F(create_from_file)              \
    F(save_weights) F(save_weights_with) F(report_to_json) F(report_free) F(freeze) F(set_training) F(get_training)   \
    F(output_shapes) F(forward) F(cancel) F(tape_options_init) F(tape_create) F(tape_free) F(tape_bytes)              \
    F(forward_train) F(backward) F(feature_gradients) F(trainable_count) F(trainable_slot) F(read_trainable)          \
    F(write_trainable) F(set_trainable) F(cross_entropy) F(optimizer_options_init) F(optimizer_create)                \
    F(optimizer_free) F(optimizer_step) F(optimizer_follow) F(clip_gradients) F(save_training) F(load_training)       \
    F(statistics_begin) F(statistics_add) F(statistics_commit) F(statistics_cancel)

#define F(name) __typeof__(backbone_##name) *name;
static struct {
    FUNCTIONS(F)
} lib;
#undef F

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static char *loaded_from;

/* The name of a function that is missing, or NULL. */
static const char *find_functions(void *library) {
#define F(name)                                                                                                       \
    if ((lib.name = (__typeof__(lib.name))dlsym(library, "backbone_" #name)) == NULL) return "backbone_" #name;
    FUNCTIONS(F)
#undef F
    return NULL;
}

/* Opens the library at `place`; 1, or 0 with a message. */
static int open_library(const char *place, char *message, size_t size) {
    void *library = dlopen(place, RTLD_NOW);
    if (library == NULL) {
        snprintf(message, size,
                 "libbackbone cannot be loaded: %s. It is looked for as the file that load() names, as the one that "
                 "the environment variable BACKBONE_LIBRARY names, and as libbackbone.so.%d by the system's loader.",
                 dlerror(), BACKBONE_ABI_VERSION);
        return 0;
    }
    /* Asked before anything else: another ABI may lack the other functions. */
    __typeof__(backbone_abi_version) *abi_version =
        (__typeof__(abi_version))dlsym(library, "backbone_abi_version");
    if (abi_version != NULL && abi_version() != BACKBONE_ABI_VERSION) {
        snprintf(message, size, "%s has ABI version %d; this binding needs %d", place, (int)abi_version(),
                 BACKBONE_ABI_VERSION);
        return 0;
    }
    const char *missing = abi_version == NULL ? "backbone_abi_version" : find_functions(library);
    if (missing != NULL) snprintf(message, size, "%s is not libbackbone: it lacks %s", place, missing);
    return missing == NULL;
}

/* ---- Arguments, whose types backbone.js has checked ------------------------------------------------------------- */

enum { ARGUMENTS = 12, OUTPUTS = 7 };

static void arguments_of(napi_env env, napi_callback_info info, napi_value out[ARGUMENTS]) {
    size_t count = ARGUMENTS;
    napi_get_cb_info(env, info, &count, out, NULL, NULL);
}

/* The text of a string, to be freed; NULL for other values. */
static char *text_of(napi_env env, napi_value value) {
    size_t size;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) return NULL;
    char *text = malloc(size + 1);
    if (text != NULL) napi_get_value_string_utf8(env, value, text, size + 1, &size);
    return text;
}

static int32_t int32_of(napi_env env, napi_value value) {
    int32_t result = 0;
    napi_get_value_int32(env, value, &result);
    return result;
}

static double double_of(napi_env env, napi_value value) {
    double result = 0;
    napi_get_value_double(env, value, &result);
    return result;
}

/* The elements of a typed array, and their size in bytes; NULL for other values. */
static void *elements_of(napi_env env, napi_value value, size_t *bytes) {
    napi_typedarray_type type;
    size_t length = 0;
    void *data = NULL;
    if (napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok) return NULL;
    size_t item = type == napi_float32_array || type == napi_int32_array         ? 4
                  : type == napi_bigint64_array || type == napi_float64_array ? 8
                                                                              : 1;
    if (bytes != NULL) *bytes = length * item;
    return data;
}

/* load(place or undefined): opens the library; an error for a place if that was done before. */
static napi_value load(napi_env env, napi_callback_info info) {
    napi_value arguments[ARGUMENTS];
    arguments_of(env, info, arguments);
    char message[8192] = "";
    char *path = text_of(env, arguments[0]);
    pthread_mutex_lock(&loading);
    if (loaded_from != NULL) {
        if (path != NULL) snprintf(message, sizeof message, "libbackbone is loaded already, from %s", loaded_from);
        free(path);
    } else {
        const char *variable = getenv("BACKBONE_LIBRARY");
        char soname[32];
        snprintf(soname, sizeof soname, "libbackbone.so.%d", BACKBONE_ABI_VERSION);
        if (path == NULL) path = strdup(variable != NULL && *variable != '\0' ? variable : soname);
        if (path != NULL && open_library(path, message, sizeof message))
            loaded_from = path;
        else
            free(path);
    }
    pthread_mutex_unlock(&loading);
    return message[0] == '\0' ? NULL : fail(env, BACKBONE_STATUS_IO, message);
}

static napi_value version(napi_env env, napi_callback_info info) {
    (void)info;
    return string_of(env, lib.version_string());
}

static napi_value architectures(napi_env env, napi_callback_info info) {
    (void)info;
    napi_value result = NULL;
    napi_create_array(env, &result);
    for (size_t i = 0; i < lib.architecture_count(); i++)
        napi_set_element(env, result, (uint32_t)i, string_of(env, lib.architecture_name(i)));
    return result;
}

/* ---- Networks --------------------------------------------------------------------------------------------------- */

enum kind { RESNET, TAPE, OPTIMIZER };
static const char *const kind_names[] = {"ResNet", "Tape", "Optimizer"};

/* Freed when it is closed, or collected, and the last call has left it. Only its JavaScript thread touches it. */
struct handle {
    enum kind kind;
    backbone *net; /* or another object, by the kind */
    backbone_tape *tape;
    backbone_optimizer *optimizer;
    int calls; /* of forwardAsync that are in progress */
    int closed;
};

/* What it has already freed is NULL. */
static void release(struct handle *handle) {
    if (!handle->closed || handle->calls > 0) return;
    if (handle->net != NULL) lib.free(handle->net);
    lib.tape_free(handle->tape);
    lib.optimizer_free(handle->optimizer);
    handle->net = NULL;
    handle->tape = NULL;
    handle->optimizer = NULL;
}

static void collect(napi_env env, void *data, void *hint) {
    (void)env, (void)hint;
    struct handle *handle = data;
    handle->closed = 1;
    release(handle); /* no call is in progress: it would hold a reference */
    free(handle);
}

/* A value for what has the given pointers, of which one is not NULL. */
static napi_value own(napi_env env, enum kind kind, backbone *net, backbone_tape *tape,
                      backbone_optimizer *optimizer) {
    napi_value result = NULL;
    struct handle owner = {kind, net, tape, optimizer, 0, 0}, *handle = malloc(sizeof *handle);
    if (handle != NULL) *handle = owner;
    if (handle == NULL || napi_create_external(env, handle, collect, NULL, &result) != napi_ok) {
        owner.closed = 1;
        release(&owner);
        free(handle);
        return fail(env, BACKBONE_STATUS_OUT_OF_MEMORY, "no memory for an object");
    }
    return result;
}

static napi_value own_net(napi_env env, backbone *net) { return own(env, RESNET, net, NULL, NULL); }

/* The object of an argument, or NULL with an error that is thrown. */
static struct handle *object_of(napi_env env, napi_value value, enum kind kind) {
    void *data = NULL;
    char message[64];
    napi_get_value_external(env, value, &data);
    struct handle *handle = data;
    if (handle != NULL && handle->kind == kind && !handle->closed) return handle;
    snprintf(message, sizeof message, "this %s is closed", kind_names[kind]);
    fail(env, BACKBONE_STATUS_INVALID_ARGUMENT, message);
    return NULL;
}

static struct handle *handle_of(napi_env env, napi_value value) { return object_of(env, value, RESNET); }

static napi_value check(napi_env env, backbone_status status) {
    return status == BACKBONE_STATUS_OK ? NULL : fail(env, status, lib.last_error_message());
}

static napi_value close_object(napi_env env, napi_callback_info info) {
    napi_value arguments[ARGUMENTS];
    void *data = NULL;
    arguments_of(env, info, arguments);
    napi_get_value_external(env, arguments[0], &data);
    struct handle *handle = data;
    if (handle == NULL) return NULL;
    handle->closed = 1;
    release(handle);
    return NULL;
}

/* ---- Options ---------------------------------------------------------------------------------------------------- */

enum { INTEGERS = 27 };

static int32_t *integer(backbone_options *o, int index) {
    int32_t *fields[INTEGERS] = {&o->depth,         &o->in_channels, &o->base_channels,      (int32_t *)&o->out_stages,
                                 &o->frozen_stages, &o->norm_eval,   &o->zero_init_residual, &o->threads,
                                 &o->channel_order, &o->arithmetic,  &o->style,              &o->normalization,
                                 &o->num_classes,   &o->output_stride, (int32_t *)&o->dilated_stages,
                                 &o->dilation_rule, &o->block,       &o->groups,             &o->width_per_group,
                                 &o->stem,          &o->stem_channels, &o->stem_pooling,     &o->shortcut,
                                 &o->norm,          &o->attention,   &o->anti_aliasing,      &o->preactivation};
    return fields[index];
}

static napi_value floats_of(napi_env env, const float *values, int32_t count) {
    napi_value result = NULL;
    if (values == NULL) {
        napi_get_null(env, &result);
        return result;
    }
    napi_create_array(env, &result);
    for (int32_t i = 0; i < count; i++) napi_set_element(env, result, (uint32_t)i, number_of(env, values[i]));
    return result;
}

static napi_value int32s_of(napi_env env, const int32_t *values, int32_t count) {
    napi_value result = NULL;
    if (values == NULL) {
        napi_get_null(env, &result);
        return result;
    }
    napi_create_array(env, &result);
    for (int32_t i = 0; i < count; i++) napi_set_element(env, result, (uint32_t)i, number_of(env, values[i]));
    return result;
}

/* [depth, ..., preactivation, norm_eps, mean, std_dev, block_counts, block_widths], and the architecture unless it is
NULL */ static napi_value array_of_options(napi_env env, backbone_options *options) {
    napi_value result = NULL;
    napi_create_array(env, &result);
    for (int i = 0; i < INTEGERS; i++)
        napi_set_element(env, result, (uint32_t)i, number_of(env, *integer(options, i)));
    napi_set_element(env, result, INTEGERS, number_of(env, options->norm_eps));
    napi_set_element(env, result, INTEGERS + 1, floats_of(env, options->mean, options->in_channels));
    napi_set_element(env, result, INTEGERS + 2, floats_of(env, options->std_dev, options->in_channels));
    napi_set_element(env, result, INTEGERS + 3, int32s_of(env, options->block_counts, 4));
    napi_set_element(env, result, INTEGERS + 4, int32s_of(env, options->block_widths, options->block_width_count));
    if (options->architecture != NULL)
        napi_set_element(env, result, INTEGERS + 5, string_of(env, options->architecture));
    return result;
}

static napi_value default_options(napi_env env, napi_callback_info info) {
    (void)info;
    backbone_options options;
    backbone_status status = lib.options_init(&options, sizeof options);
    return status == BACKBONE_STATUS_OK ? array_of_options(env, &options) : check(env, status);
}

static napi_value get_options(napi_env env, napi_callback_info info) {
    napi_value arguments[ARGUMENTS];
    arguments_of(env, info, arguments);
    struct handle *handle = handle_of(env, arguments[0]);
    if (handle == NULL) return NULL;
    backbone_options options = {.struct_size = sizeof options};
    backbone_status status = lib.get_options(handle->net, &options);
    return status == BACKBONE_STATUS_OK ? array_of_options(env, &options) : check(env, status);
}

/* From what backbone.js makes of an object of options: an Int32Array, a number, two Float32Arrays of in_channels values
 * or null, an Int32Array of block_counts, one of block_widths or null, and text, which is given as C has it, or NULL.
 * Points into them. */
static backbone_options options_of(napi_env env, const napi_value given[6], const char *architecture) {
    backbone_options options;
    lib.options_init(&options, sizeof options);
    const int32_t *values = elements_of(env, given[0], NULL);
    for (int i = 0; i < INTEGERS; i++) *integer(&options, i) = values[i];
    double number = 0;
    napi_get_value_double(env, given[1], &number);
    options.norm_eps = (float)number;
    options.mean = elements_of(env, given[2], NULL);
    options.std_dev = elements_of(env, given[3], NULL);
    size_t bytes = 0;
    const int32_t *counts = elements_of(env, given[4], &bytes);
    if (bytes > 0) memcpy(options.block_counts, counts, bytes);
    bytes = 0;
    const int32_t *widths = elements_of(env, given[5], &bytes);
    if (bytes > 0) options.block_widths = widths;
    options.block_width_count = (int32_t)(bytes / sizeof *widths);
    options.architecture = architecture;
    return options;
}

static napi_value create(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    char *architecture = text_of(env, a[6]);
    backbone_options options = options_of(env, a, architecture);
    backbone *net = NULL;
    backbone_status status = lib.create(&options, &net);
    free(architecture);
    return status == BACKBONE_STATUS_OK ? own_net(env, net) : check(env, status);
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

/* The report, which is freed, as text; of a failure NULL, with an error that is thrown. */
static napi_value text_of_report(napi_env env, backbone_status status, backbone_report *report) {
    napi_value result = NULL;
    char *message = status == BACKBONE_STATUS_OK ? NULL : strdup(lib.last_error_message());
    const char *json = NULL;
    if (report != NULL && lib.report_to_json(report, &json) != BACKBONE_STATUS_OK) json = NULL;
    if (status == BACKBONE_STATUS_OK)
        result = string_of(env, json == NULL ? "" : json);
    else
        napi_throw(env, error_of(env, status, message == NULL ? "out of memory" : message, json));
    lib.report_free(report);
    free(message);
    return result;
}

/* loadWeights(handle, path, flags, max_stream_bytes, key, prefix): the report as text; the flags are an Int32Array of
 * strict, allow_missing, ignore_modules and head.
 * createFromFile(path, flags, max_stream_bytes, key, prefix, integers, eps, mean, std_dev, block_counts, block_widths,
 * architecture): [handle, report]. */
static napi_value load_or_create(napi_env env, napi_callback_info info, int creating) {
    napi_value a[ARGUMENTS], result = NULL;
    arguments_of(env, info, a);
    struct handle *handle = NULL;
    if (!creating && (handle = handle_of(env, a[0])) == NULL) return NULL;
    int first = creating ? 0 : 1;
    char *path = text_of(env, a[first]), *key = text_of(env, a[first + 3]), *prefix = text_of(env, a[first + 4]);
    backbone_load_options how;
    lib.load_options_init(&how, sizeof how);
    const int32_t *flags = elements_of(env, a[first + 1], NULL);
    how.strict = flags[0];
    how.allow_missing = flags[1];
    how.ignore_modules = flags[2];
    how.head = flags[3];
    bool lossless;
    napi_get_value_bigint_uint64(env, a[first + 2], &how.max_stream_bytes, &lossless);
    how.key = key;
    how.prefix = prefix;
    backbone *net = NULL;
    backbone_report *report = NULL;
    backbone_status status;
    if (creating) {
        char *architecture = text_of(env, a[11]);
        backbone_options options = options_of(env, a + 5, architecture);
        status = lib.create_from_file(path, &options, &how, &net, &report);
        free(architecture);
    } else {
        status = lib.load_weights_with(handle->net, path, &how, &report);
    }
    napi_value text = text_of_report(env, status, report);
    if (status == BACKBONE_STATUS_OK && creating) {
        napi_create_array(env, &result);
        napi_set_element(env, result, 0, own_net(env, net));
        napi_set_element(env, result, 1, text);
    } else {
        result = text;
    }
    free(path);
    free(key);
    free(prefix);
    return result;
}

static napi_value load_weights(napi_env env, napi_callback_info info) { return load_or_create(env, info, 0); }
static napi_value create_from_file(napi_env env, napi_callback_info info) { return load_or_create(env, info, 1); }

/* Functions of a network and one or two more arguments. */
enum operation { INIT_WEIGHTS, SAVE_WEIGHTS, FREEZE, SET_TRAINING, SET_TRAINABLE, CANCEL, BEGIN, COMMIT, END };

static napi_value operate(napi_env env, napi_callback_info info, enum operation operation) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    char *path = operation == SAVE_WEIGHTS ? text_of(env, a[1]) : NULL;
    char *names = operation == SAVE_WEIGHTS ? text_of(env, a[2]) : NULL;
    uint64_t seed = 0;
    bool lossless;
    if (operation == INIT_WEIGHTS) napi_get_value_bigint_uint64(env, a[1], &seed, &lossless);
    backbone_status status = BACKBONE_STATUS_OK;
    switch (operation) {
    case INIT_WEIGHTS: status = lib.init_weights(handle->net, seed); break;
    case SAVE_WEIGHTS: status = lib.save_weights_with(handle->net, path, names); break;
    case FREEZE: status = lib.freeze(handle->net, int32_of(env, a[1])); break;
    case SET_TRAINING: status = lib.set_training(handle->net, int32_of(env, a[1])); break;
    case SET_TRAINABLE: status = lib.set_trainable(handle->net, int32_of(env, a[1])); break;
    case CANCEL: status = lib.cancel(handle->net); break;
    case BEGIN: status = lib.statistics_begin(handle->net); break;
    case COMMIT: status = lib.statistics_commit(handle->net); break;
    case END: status = lib.statistics_cancel(handle->net); break;
    }
    check(env, status);
    free(path);
    free(names);
    return NULL;
}

#define OPERATION(name, operation) \
    static napi_value name(napi_env env, napi_callback_info info) { return operate(env, info, operation); }
OPERATION(init_weights, INIT_WEIGHTS)
OPERATION(save_weights, SAVE_WEIGHTS)
OPERATION(freeze, FREEZE)
OPERATION(set_training, SET_TRAINING)
OPERATION(set_trainable, SET_TRAINABLE)
OPERATION(cancel, CANCEL)
OPERATION(begin_statistics, BEGIN)
OPERATION(commit_statistics, COMMIT)
OPERATION(cancel_statistics, END)

static napi_value get_training(napi_env env, napi_callback_info info) {
    napi_value arguments[ARGUMENTS];
    arguments_of(env, info, arguments);
    struct handle *handle = handle_of(env, arguments[0]);
    int32_t value = 0;
    if (handle == NULL) return NULL;
    backbone_status status = lib.get_training(handle->net, &value);
    return status == BACKBONE_STATUS_OK ? number_of(env, value) : check(env, status);
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/* outputShapes(handle, shape, rows): BigInt64Arrays of 4 sizes, and of 4 for each output, which are written. */
static napi_value output_shapes(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    size_t bytes = 0;
    int64_t *rows = elements_of(env, a[2], &bytes);
    return check(env, lib.output_shapes(handle->net, elements_of(env, a[1], NULL), rows, bytes / 32));
}

/* A forward pass; for one that runs in the background also the references that keep everything until it ends. */
struct forward {
    struct handle *handle;
    backbone_tape *tape; /* of a pass for training */
    backbone_tensor input, outputs[OUTPUTS];
    size_t count;
    backbone_status status;
    char message[1024];
    void *copy;
    napi_ref kept[2]; /* the handle and the outputs */
    napi_async_work work;
    napi_deferred deferred;
};

static backbone_tensor tensor_of(void *data, int32_t dtype, const int64_t *shape, int nhwc) {
    int64_t n = shape[0], c = shape[1], h = shape[2], w = shape[3];
    backbone_tensor result = {data, dtype, 0, {n, c, h, w}, {c * h * w, h * w, w, 1}};
    if (nhwc) memcpy(result.strides, (int64_t[]){h * w * c, 1, w * c, c}, sizeof result.strides);
    return result;
}

static void compute(napi_env env, void *data) {
    (void)env; /* of another thread */
    struct forward *forward = data;
    backbone *net = forward->handle->net;
    forward->status =
        forward->tape == NULL
            ? lib.forward(net, &forward->input, forward->outputs, forward->count)
            : lib.forward_train(net, forward->tape, &forward->input, forward->outputs, forward->count);
    if (forward->status != BACKBONE_STATUS_OK)
        snprintf(forward->message, sizeof forward->message, "%s", lib.last_error_message());
}

static void complete(napi_env env, napi_status status, void *data) {
    (void)status;
    struct forward *forward = data;
    napi_value undefined;
    napi_get_undefined(env, &undefined);
    forward->handle->calls--;
    release(forward->handle);
    if (forward->status == BACKBONE_STATUS_OK)
        napi_resolve_deferred(env, forward->deferred, undefined);
    else
        napi_reject_deferred(env, forward->deferred, error_of(env, forward->status, forward->message, NULL));
    for (int i = 0; i < 2; i++) napi_delete_reference(env, forward->kept[i]);
    napi_delete_async_work(env, forward->work);
    free(forward->copy);
    free(forward);
}

static backbone_tensor image_of(napi_env env, napi_value data, napi_value shape, napi_value nhwc, void *elements) {
    napi_typedarray_type type;
    napi_get_typedarray_info(env, data, &type, NULL, NULL, NULL, NULL);
    return tensor_of(elements, type == napi_float32_array ? BACKBONE_DTYPE_FLOAT32 : BACKBONE_DTYPE_UINT8,
                     elements_of(env, shape, NULL), int32_of(env, nhwc));
}

/* Tensors of float32, NCHW, for an array of typed arrays or null, with four sizes in `rows` for each; how many. */
static size_t tensors_of(napi_env env, napi_value array, const int64_t *rows, backbone_tensor out[OUTPUTS]) {
    uint32_t count = 0;
    napi_get_array_length(env, array, &count);
    for (uint32_t i = 0; i < count && i < OUTPUTS; i++) {
        napi_value element;
        napi_get_element(env, array, i, &element);
        out[i] = tensor_of(elements_of(env, element, NULL), BACKBONE_DTYPE_FLOAT32, rows + 4 * i, 0);
    }
    return count < OUTPUTS ? count : OUTPUTS;
}

/* forward(handle, input, shape, nhwc, outputs, rows, beside, tape): typed arrays with the elements of their shapes.
 * With `beside` a promise; the input is copied, since scripts may change or give away its memory. With a tape (else
 * undefined) it is a pass for training, never beside. */
static napi_value run_forward(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS], promise = NULL, name = string_of(env, "backbone.forward");
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    napi_valuetype tape_type = napi_undefined;
    napi_typeof(env, a[7], &tape_type);
    struct handle *tape = tape_type == napi_undefined ? NULL : object_of(env, a[7], TAPE);
    if (tape_type != napi_undefined && tape == NULL) return NULL;
    struct forward *forward = calloc(1, sizeof *forward);
    if (forward == NULL) return fail(env, BACKBONE_STATUS_OUT_OF_MEMORY, "out of memory for a forward pass");
    size_t bytes = 0;
    void *input = elements_of(env, a[1], &bytes);
    const int64_t *rows = elements_of(env, a[5], NULL);
    int beside = int32_of(env, a[6]);
    if (beside) {
        forward->copy = malloc(bytes + 1);
        if (forward->copy == NULL) {
            free(forward);
            return fail(env, BACKBONE_STATUS_OUT_OF_MEMORY, "no memory for a copy of the input");
        }
        if (bytes > 0) memcpy(forward->copy, input, bytes);
        input = forward->copy;
    }
    forward->handle = handle;
    forward->tape = tape == NULL ? NULL : tape->tape;
    forward->input = image_of(env, a[1], a[2], a[3], input);
    forward->count = tensors_of(env, a[4], rows, forward->outputs);
    if (!beside) {
        compute(env, forward);
        if (forward->status != BACKBONE_STATUS_OK) fail(env, forward->status, forward->message);
        free(forward);
        return NULL;
    }
    handle->calls++;
    napi_create_reference(env, a[0], 1, &forward->kept[0]);
    napi_create_reference(env, a[4], 1, &forward->kept[1]);
    napi_create_promise(env, &forward->deferred, &promise);
    napi_create_async_work(env, NULL, name, compute, complete, forward, &forward->work);
    napi_queue_async_work(env, forward->work);
    return promise;
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

/* newTape(handle, inputGradient, retain, recompute) */
static napi_value new_tape(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    backbone_tape_options options;
    backbone_tape *tape = NULL;
    backbone_status status = lib.tape_options_init(&options, sizeof options);
    options.input_gradient = int32_of(env, a[1]);
    options.retain = int32_of(env, a[2]);
    options.recompute = int32_of(env, a[3]);
    if (status == BACKBONE_STATUS_OK) status = lib.tape_create(handle->net, &options, &tape);
    return status == BACKBONE_STATUS_OK ? own(env, TAPE, NULL, tape, NULL) : check(env, status);
}

static napi_value tape_bytes(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    struct handle *tape = handle == NULL ? NULL : object_of(env, a[1], TAPE);
    if (tape == NULL) return NULL;
    size_t bytes = 0;
    backbone_status status = lib.tape_bytes(handle->net, tape->tape, &bytes);
    return status == BACKBONE_STATUS_OK ? number_of(env, (double)bytes) : check(env, status);
}

/* backward(handle, tape, outputGradients, rows, inputGradient, inputShape, gradients, flags): Float32Arrays with the
 * elements of their shapes, or null. */
static napi_value backward(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    struct handle *tape = handle == NULL ? NULL : object_of(env, a[1], TAPE);
    if (tape == NULL) return NULL;
    backbone_tensor outputs[OUTPUTS];
    size_t count = tensors_of(env, a[2], elements_of(env, a[3], NULL), outputs), bytes = 0;
    void *given = elements_of(env, a[4], NULL);
    backbone_tensor input = tensor_of(given, BACKBONE_DTYPE_FLOAT32, elements_of(env, a[5], NULL), 0);
    float *gradients = elements_of(env, a[6], &bytes);
    return check(env, lib.backward(handle->net, tape->tape, outputs, count, given == NULL ? NULL : &input, gradients,
                                   bytes / sizeof *gradients, (uint32_t)int32_of(env, a[7])));
}

/* featureGradients(handle, tape, outputGradients, rows, featureGradients, featureRows): as for backward, both of as
 * many outputs. */
static napi_value feature_gradients(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    struct handle *tape = handle == NULL ? NULL : object_of(env, a[1], TAPE);
    if (tape == NULL) return NULL;
    backbone_tensor outputs[OUTPUTS], features[OUTPUTS];
    size_t count = tensors_of(env, a[2], elements_of(env, a[3], NULL), outputs);
    tensors_of(env, a[4], elements_of(env, a[5], NULL), features);
    return check(env, lib.feature_gradients(handle->net, tape->tape, outputs, count, features));
}

static napi_value trainable_count(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    size_t count = 0;
    if (handle == NULL) return NULL;
    backbone_status status = lib.trainable_count(handle->net, &count);
    return status == BACKBONE_STATUS_OK ? number_of(env, (double)count) : check(env, status);
}

/* trainableSlot(handle, index): [offset, count] */
static napi_value trainable_slot(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS], result = NULL;
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    size_t offset = 0, count = 0;
    if (handle == NULL) return NULL;
    backbone_status status = lib.trainable_slot(handle->net, (size_t)double_of(env, a[1]), &offset, &count);
    if (status != BACKBONE_STATUS_OK) return check(env, status);
    napi_create_array(env, &result);
    napi_set_element(env, result, 0, number_of(env, (double)offset));
    napi_set_element(env, result, 1, number_of(env, (double)count));
    return result;
}

/* readTrainable(handle, values), writeTrainable(handle, values): a Float32Array */
static napi_value copy_trainable(napi_env env, napi_callback_info info, int writing) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    size_t bytes = 0;
    if (handle == NULL) return NULL;
    float *values = elements_of(env, a[1], &bytes);
    size_t count = bytes / sizeof *values;
    return check(env, writing ? lib.write_trainable(handle->net, values, count)
                              : lib.read_trainable(handle->net, values, count));
}

static napi_value read_trainable(napi_env env, napi_callback_info info) { return copy_trainable(env, info, 0); }
static napi_value write_trainable(napi_env env, napi_callback_info info) { return copy_trainable(env, info, 1); }

/* clipGradients(handle, gradients, maxNorm): the norm */
static napi_value clip_gradients(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    size_t bytes = 0;
    double norm = 0;
    if (handle == NULL) return NULL;
    float *gradients = elements_of(env, a[1], &bytes);
    backbone_status status =
        lib.clip_gradients(handle->net, gradients, bytes / sizeof *gradients, double_of(env, a[2]), &norm);
    return status == BACKBONE_STATUS_OK ? number_of(env, norm) : check(env, status);
}

/* crossEntropy(logits, shape, labels, labelSmoothing, gradient): the loss; the labels are a BigInt64Array. */
static napi_value cross_entropy(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    const int64_t *shape = elements_of(env, a[1], NULL);
    size_t bytes = 0;
    const int64_t *labels = elements_of(env, a[2], &bytes);
    backbone_tensor logits = tensor_of(elements_of(env, a[0], NULL), BACKBONE_DTYPE_FLOAT32, shape, 0);
    backbone_tensor gradient = tensor_of(elements_of(env, a[4], NULL), BACKBONE_DTYPE_FLOAT32, shape, 0);
    double loss = 0;
    backbone_status status =
        lib.cross_entropy(&logits, labels, bytes / sizeof *labels, double_of(env, a[3]), &loss, &gradient);
    return status == BACKBONE_STATUS_OK ? number_of(env, loss) : check(env, status);
}

enum { RATES = 6 };

static double *rate(backbone_optimizer_options *o, int index) {
    double *fields[RATES] = {&o->momentum, &o->dampening, &o->beta1, &o->beta2, &o->epsilon, &o->weight_decay};
    return fields[index];
}

/* defaultOptimizerOptions(kind): [momentum, ..., weight_decay] */
static napi_value default_optimizer_options(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS], result = NULL;
    arguments_of(env, info, a);
    backbone_optimizer_options options;
    backbone_status status = lib.optimizer_options_init(&options, sizeof options, int32_of(env, a[0]));
    if (status != BACKBONE_STATUS_OK) return check(env, status);
    napi_create_array(env, &result);
    for (int i = 0; i < RATES; i++) napi_set_element(env, result, (uint32_t)i, number_of(env, *rate(&options, i)));
    return result;
}

/* newOptimizer(handle, kind, nesterov, rates, prefixes, numbers): a Float64Array of momentum, ..., weight_decay; an
 * array of strings, and a Float64Array of kinds, learning_rate_factor and weight_decay for each. */
static napi_value new_optimizer(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    backbone_optimizer_options options;
    backbone_optimizer *optimizer = NULL;
    uint32_t count = 0;
    backbone_status status = lib.optimizer_options_init(&options, sizeof options, int32_of(env, a[1]));
    if (status != BACKBONE_STATUS_OK) return check(env, status);
    options.nesterov = int32_of(env, a[2]);
    const double *rates = elements_of(env, a[3], NULL), *numbers = elements_of(env, a[5], NULL);
    for (int i = 0; i < RATES; i++) *rate(&options, i) = rates[i];
    napi_get_array_length(env, a[4], &count);
    backbone_parameter_group *groups = calloc(count + 1, sizeof *groups);
    char **prefixes = calloc(count + 1, sizeof *prefixes);
    int complete = groups != NULL && prefixes != NULL;
    for (uint32_t i = 0; i < count && complete; i++) {
        napi_value prefix;
        napi_get_element(env, a[4], i, &prefix);
        groups[i].prefix = prefixes[i] = text_of(env, prefix);
        groups[i].kinds = (uint32_t)numbers[3 * i];
        groups[i].learning_rate_factor = numbers[3 * i + 1];
        groups[i].weight_decay = numbers[3 * i + 2];
        complete = prefixes[i] != NULL;
    }
    options.groups = groups;
    options.group_count = count;
    if (complete)
        check(env, status = lib.optimizer_create(handle->net, &options, &optimizer));
    else
        fail(env, BACKBONE_STATUS_OUT_OF_MEMORY, "no memory for groups");
    for (uint32_t i = 0; i < count && prefixes != NULL; i++) free(prefixes[i]);
    free(prefixes);
    free(groups);
    return optimizer == NULL ? NULL : own(env, OPTIMIZER, NULL, NULL, optimizer);
}

/* step(handle, optimizer, gradients, learningRate, flags), follow(handle, optimizer),
 * saveTraining(handle, optimizer, path, learningRate), loadTraining(handle, optimizer, path): the report as text */
enum use { STEP, FOLLOW, SAVE, LOAD };

static napi_value use_optimizer(napi_env env, napi_callback_info info, enum use use) {
    napi_value a[ARGUMENTS], result = NULL;
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    struct handle *optimizer = handle == NULL ? NULL : object_of(env, a[1], OPTIMIZER);
    if (optimizer == NULL) return NULL;
    char *path = use == SAVE || use == LOAD ? text_of(env, a[2]) : NULL;
    size_t bytes = 0;
    const float *gradients = use == STEP ? elements_of(env, a[2], &bytes) : NULL;
    double learning_rate = use == STEP || use == SAVE ? double_of(env, a[3]) : 0;
    backbone_report *report = NULL;
    if (use == STEP) {
        check(env, lib.optimizer_step(handle->net, optimizer->optimizer, gradients, bytes / sizeof *gradients,
                                      learning_rate, (uint32_t)int32_of(env, a[4])));
    } else if (use == FOLLOW) {
        check(env, lib.optimizer_follow(handle->net, optimizer->optimizer));
    } else if (use == SAVE) {
        check(env, lib.save_training(handle->net, optimizer->optimizer, path, learning_rate));
    } else {
        backbone_status status = lib.load_training(handle->net, optimizer->optimizer, path, &report);
        result = text_of_report(env, status, report);
    }
    free(path);
    return result;
}

static napi_value step(napi_env env, napi_callback_info info) { return use_optimizer(env, info, STEP); }
static napi_value follow(napi_env env, napi_callback_info info) { return use_optimizer(env, info, FOLLOW); }
static napi_value save_training(napi_env env, napi_callback_info info) { return use_optimizer(env, info, SAVE); }
static napi_value load_training(napi_env env, napi_callback_info info) { return use_optimizer(env, info, LOAD); }

/* addStatistics(handle, input, shape, nhwc) */
static napi_value add_statistics(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    backbone_tensor input = image_of(env, a[1], a[2], a[3], elements_of(env, a[1], NULL));
    return check(env, lib.statistics_add(handle->net, &input));
}

NAPI_MODULE_INIT() {
    const struct {
        const char *name;
        napi_callback function;
    } functions[] = {{"load", load},
                     {"version", version},
                     {"architectures", architectures},
                     {"defaultOptions", default_options},
                     {"create", create},
                     {"createFromFile", create_from_file},
                     {"close", close_object},
                     {"getOptions", get_options},
                     {"initWeights", init_weights},
                     {"loadWeights", load_weights},
                     {"saveWeights", save_weights},
                     {"freeze", freeze},
                     {"setTraining", set_training},
                     {"getTraining", get_training},
                     {"outputShapes", output_shapes},
                     {"setTrainable", set_trainable},
                     {"cancel", cancel},
                     {"beginStatistics", begin_statistics},
                     {"addStatistics", add_statistics},
                     {"commitStatistics", commit_statistics},
                     {"cancelStatistics", cancel_statistics},
                     {"newTape", new_tape},
                     {"tapeBytes", tape_bytes},
                     {"backward", backward},
                     {"featureGradients", feature_gradients},
                     {"trainableCount", trainable_count},
                     {"trainableSlot", trainable_slot},
                     {"readTrainable", read_trainable},
                     {"writeTrainable", write_trainable},
                     {"clipGradients", clip_gradients},
                     {"crossEntropy", cross_entropy},
                     {"defaultOptimizerOptions", default_optimizer_options},
                     {"newOptimizer", new_optimizer},
                     {"step", step},
                     {"follow", follow},
                     {"saveTraining", save_training},
                     {"loadTraining", load_training},
                     {"forward", run_forward}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        napi_value function;
        napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function);
        napi_set_named_property(env, exports, functions[i].name, function);
    }
    napi_set_named_property(env, exports, "abiVersion", number_of(env, BACKBONE_ABI_VERSION));
    return exports;
}
