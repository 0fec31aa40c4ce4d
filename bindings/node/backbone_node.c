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

/* An Error with `status`, and `report` if there is one. */
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
    F(version_string) F(last_error_message) F(options_init) F(create) F(free) F(get_options) F(init_weights)          \
    F(load_options_init) F(load_weights_with) F(create_from_file) F(save_weights) F(report_to_json) F(report_free)    \
    F(freeze) F(set_training) F(get_training) F(output_shapes) F(forward)

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
    if (missing != NULL) snprintf(message, size, "%s is no libbackbone: it lacks %s", place, missing);
    return missing == NULL;
}

/* ---- Arguments, whose types backbone.js has checked ------------------------------------------------------------- */

enum { ARGUMENTS = 9 };

static void arguments_of(napi_env env, napi_callback_info info, napi_value out[ARGUMENTS]) {
    size_t count = ARGUMENTS;
    napi_get_cb_info(env, info, &count, out, NULL, NULL);
}

/* The text of a string, to be freed; NULL for what is none. */
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

/* The elements of a typed array, and their size in bytes; NULL for what is none. */
static void *elements_of(napi_env env, napi_value value, size_t *bytes) {
    napi_typedarray_type type;
    size_t length = 0;
    void *data = NULL;
    if (napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok) return NULL;
    size_t item = type == napi_float32_array || type == napi_int32_array ? 4 : type == napi_bigint64_array ? 8 : 1;
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

/* ---- Networks --------------------------------------------------------------------------------------------------- */

/* Freed when it is closed, or collected, and the last call has left it. Only its JavaScript thread touches it. */
struct handle {
    backbone *net;
    int calls; /* of forwardAsync that are in progress */
    int closed;
};

static void release(struct handle *handle) {
    if (handle->closed && handle->calls == 0 && handle->net != NULL) {
        lib.free(handle->net);
        handle->net = NULL;
    }
}

static void collect(napi_env env, void *data, void *hint) {
    (void)env, (void)hint;
    struct handle *handle = data;
    handle->closed = 1;
    release(handle); /* no call is in progress: it would hold a reference */
    free(handle);
}

static napi_value own(napi_env env, backbone *net) {
    napi_value result = NULL;
    struct handle *handle = calloc(1, sizeof *handle);
    if (handle != NULL) handle->net = net;
    if (handle == NULL || napi_create_external(env, handle, collect, NULL, &result) != napi_ok) {
        lib.free(net);
        free(handle);
        return fail(env, BACKBONE_STATUS_OUT_OF_MEMORY, "no memory for a network");
    }
    return result;
}

/* The network of an argument, or NULL with an error that is thrown. */
static struct handle *handle_of(napi_env env, napi_value value) {
    void *data = NULL;
    napi_get_value_external(env, value, &data);
    struct handle *handle = data;
    if (handle != NULL && !handle->closed) return handle;
    fail(env, BACKBONE_STATUS_INVALID_ARGUMENT, "this ResNet is closed");
    return NULL;
}

static napi_value check(napi_env env, backbone_status status) {
    return status == BACKBONE_STATUS_OK ? NULL : fail(env, status, lib.last_error_message());
}

static napi_value close_net(napi_env env, napi_callback_info info) {
    napi_value arguments[ARGUMENTS];
    void *data = NULL;
    arguments_of(env, info, arguments);
    napi_get_value_external(env, arguments[0], &data);
    struct handle *handle = data;
    handle->closed = 1;
    release(handle);
    return NULL;
}

/* ---- Options ---------------------------------------------------------------------------------------------------- */

enum { INTEGERS = 12 };

static int32_t *integer(backbone_options *o, int index) {
    int32_t *fields[INTEGERS] = {&o->depth,         &o->in_channels, &o->base_channels,      (int32_t *)&o->out_stages,
                                 &o->frozen_stages, &o->norm_eval,   &o->zero_init_residual, &o->threads,
                                 &o->channel_order, &o->arithmetic,  &o->style,              &o->normalization};
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

/* [depth, ..., style, norm_eps, mean, std_dev] */
static napi_value array_of_options(napi_env env, backbone_options *options) {
    napi_value result = NULL;
    napi_create_array(env, &result);
    for (int i = 0; i < INTEGERS; i++)
        napi_set_element(env, result, (uint32_t)i, number_of(env, *integer(options, i)));
    napi_set_element(env, result, INTEGERS, number_of(env, options->norm_eps));
    napi_set_element(env, result, INTEGERS + 1, floats_of(env, options->mean, options->in_channels));
    napi_set_element(env, result, INTEGERS + 2, floats_of(env, options->std_dev, options->in_channels));
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

/* From an Int32Array, a number, and two Float32Arrays of in_channels values or null; points into them. */
static backbone_options options_of(napi_env env, napi_value integers, napi_value eps, napi_value mean,
                                   napi_value std_dev) {
    backbone_options options;
    lib.options_init(&options, sizeof options);
    const int32_t *values = elements_of(env, integers, NULL);
    for (int i = 0; i < INTEGERS; i++) *integer(&options, i) = values[i];
    double number = 0;
    napi_get_value_double(env, eps, &number);
    options.norm_eps = (float)number;
    options.mean = elements_of(env, mean, NULL);
    options.std_dev = elements_of(env, std_dev, NULL);
    return options;
}

static napi_value create(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    backbone_options options = options_of(env, a[0], a[1], a[2], a[3]);
    backbone *net = NULL;
    backbone_status status = lib.create(&options, &net);
    return status == BACKBONE_STATUS_OK ? own(env, net) : check(env, status);
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

/* loadWeights(handle, path, flags, max_stream_bytes, key, prefix): the report as text; the flags are an Int32Array of
 * strict, allow_missing and ignore_modules.
 * createFromFile(path, flags, max_stream_bytes, key, prefix, integers, eps, mean, std_dev): [handle, report]. */
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
    bool lossless;
    napi_get_value_bigint_uint64(env, a[first + 2], &how.max_stream_bytes, &lossless);
    how.key = key;
    how.prefix = prefix;
    backbone *net = NULL;
    backbone_report *report = NULL;
    backbone_status status;
    if (creating) {
        backbone_options options = options_of(env, a[5], a[6], a[7], a[8]);
        status = lib.create_from_file(path, &options, &how, &net, &report);
    } else {
        status = lib.load_weights_with(handle->net, path, &how, &report);
    }
    char *message = status == BACKBONE_STATUS_OK ? NULL : strdup(lib.last_error_message());
    const char *json = NULL;
    if (report != NULL && lib.report_to_json(report, &json) != BACKBONE_STATUS_OK) json = NULL;
    if (status != BACKBONE_STATUS_OK) {
        napi_throw(env, error_of(env, status, message == NULL ? "out of memory" : message, json));
    } else if (creating) {
        napi_create_array(env, &result);
        napi_set_element(env, result, 0, own(env, net));
        napi_set_element(env, result, 1, string_of(env, json == NULL ? "" : json));
    } else {
        result = string_of(env, json == NULL ? "" : json);
    }
    lib.report_free(report);
    free(message);
    free(path);
    free(key);
    free(prefix);
    return result;
}

static napi_value load_weights(napi_env env, napi_callback_info info) { return load_or_create(env, info, 0); }
static napi_value create_from_file(napi_env env, napi_callback_info info) { return load_or_create(env, info, 1); }

/* Functions of a network and one more argument. */
enum operation { INIT_WEIGHTS, SAVE_WEIGHTS, FREEZE, SET_TRAINING };

static napi_value operate(napi_env env, napi_callback_info info, enum operation operation) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    char *path = operation == SAVE_WEIGHTS ? text_of(env, a[1]) : NULL;
    uint64_t seed = 0;
    bool lossless;
    if (operation == INIT_WEIGHTS) napi_get_value_bigint_uint64(env, a[1], &seed, &lossless);
    backbone_status status = operation == INIT_WEIGHTS   ? lib.init_weights(handle->net, seed)
                             : operation == SAVE_WEIGHTS ? lib.save_weights(handle->net, path)
                             : operation == FREEZE       ? lib.freeze(handle->net, int32_of(env, a[1]))
                                                         : lib.set_training(handle->net, int32_of(env, a[1]));
    check(env, status);
    free(path);
    return NULL;
}

static napi_value init_weights(napi_env env, napi_callback_info info) { return operate(env, info, INIT_WEIGHTS); }
static napi_value save_weights(napi_env env, napi_callback_info info) { return operate(env, info, SAVE_WEIGHTS); }
static napi_value freeze(napi_env env, napi_callback_info info) { return operate(env, info, FREEZE); }
static napi_value set_training(napi_env env, napi_callback_info info) { return operate(env, info, SET_TRAINING); }

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

/* outputShapes(handle, shape, rows): BigInt64Arrays of 4 sizes, and of 4 for each stage, which are written. */
static napi_value output_shapes(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS];
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    size_t bytes = 0;
    int64_t *rows = elements_of(env, a[2], &bytes);
    return check(env, lib.output_shapes(handle->net, elements_of(env, a[1], NULL), rows, bytes / 32));
}

/* A forward, and for those that run beside JavaScript what keeps everything until they end. */
struct forward {
    struct handle *handle;
    backbone_tensor input, outputs[4];
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
    forward->status = lib.forward(forward->handle->net, &forward->input, forward->outputs, forward->count);
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

/* forward(handle, input, shape, nhwc, outputs, rows, beside): typed arrays with the elements of their shapes. With
 * `beside` a promise; the input is copied, since scripts may change or give away its memory. */
static napi_value run_forward(napi_env env, napi_callback_info info) {
    napi_value a[ARGUMENTS], promise = NULL, name = string_of(env, "backbone.forward");
    arguments_of(env, info, a);
    struct handle *handle = handle_of(env, a[0]);
    if (handle == NULL) return NULL;
    struct forward *forward = calloc(1, sizeof *forward);
    if (forward == NULL) return fail(env, BACKBONE_STATUS_OUT_OF_MEMORY, "no memory for a forward");
    napi_typedarray_type type;
    size_t bytes = 0;
    napi_get_typedarray_info(env, a[1], &type, NULL, NULL, NULL, NULL);
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
    forward->input = tensor_of(input, type == napi_float32_array ? BACKBONE_DTYPE_FLOAT32 : BACKBONE_DTYPE_UINT8,
                               elements_of(env, a[2], NULL), int32_of(env, a[3]));
    uint32_t count = 0;
    napi_get_array_length(env, a[4], &count);
    for (uint32_t i = 0; i < count && i < 4; i++, forward->count++) {
        napi_value output;
        napi_get_element(env, a[4], i, &output);
        forward->outputs[i] = tensor_of(elements_of(env, output, NULL), BACKBONE_DTYPE_FLOAT32, rows + 4 * i, 0);
    }
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

NAPI_MODULE_INIT() {
    const struct {
        const char *name;
        napi_callback function;
    } functions[] = {{"load", load},
                     {"version", version},
                     {"defaultOptions", default_options},
                     {"create", create},
                     {"createFromFile", create_from_file},
                     {"close", close_net},
                     {"getOptions", get_options},
                     {"initWeights", init_weights},
                     {"loadWeights", load_weights},
                     {"saveWeights", save_weights},
                     {"freeze", freeze},
                     {"setTraining", set_training},
                     {"getTraining", get_training},
                     {"outputShapes", output_shapes},
                     {"forward", run_forward}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        napi_value function;
        napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function);
        napi_set_named_property(env, exports, functions[i].name, function);
    }
    napi_set_named_property(env, exports, "abiVersion", number_of(env, BACKBONE_ABI_VERSION));
    return exports;
}
