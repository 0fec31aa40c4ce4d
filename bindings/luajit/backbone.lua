-- SPDX-License-Identifier: Apache-2.0
-- Copyright 2026 The libbackbone authors

--- libbackbone for LuaJIT: features, logits and gradients of a ResNet, on a CPU, from PyTorch checkpoints.
--
-- This file is the whole binding: put it where `require` finds it. The library is opened by the first call, as the file
-- that `backbone.load` names, else as the one that the environment variable BACKBONE_LIBRARY names, else as
-- libbackbone.so.1 by the system's loader.
--
-- Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by `close` or when it is
-- collected. A Lua state computes in one thread, and the library with as many as `threads` says; `backbone.cancel` in a
-- state of another thread ends a call. Every failure is an error whose value is a table with `status`
-- (backbone.STATUS_*), `message` (the library's own words; `tostring` gives it) and, for a checkpoint that does not
-- fit, `report` (JSON).

local ffi = require("ffi")

-- The declarations of backbone.h that are used, unchanged.
ffi.cdef [[
typedef struct backbone backbone;
typedef struct backbone_report backbone_report;
typedef struct backbone_options {
    uint32_t struct_size;
    int32_t depth;
    int32_t in_channels;
    int32_t base_channels;
    uint32_t out_stages;
    int32_t frozen_stages;
    int32_t norm_eval;
    int32_t zero_init_residual;
    int32_t threads;
    int32_t channel_order;
    const float *mean;
    const float *std_dev;
    int32_t arithmetic;
    int32_t style;
    float norm_eps;
    int32_t reserved;
    int32_t normalization;
    int32_t reserved2;
    const char *architecture;
    int32_t num_classes;
    int32_t output_stride;
    uint32_t dilated_stages;
    int32_t dilation_rule;
    int32_t block_counts[4];
    int32_t block;
    int32_t groups;
    int32_t width_per_group;
    int32_t stem;
    int32_t stem_channels;
    int32_t stem_pooling;
    int32_t shortcut;
    int32_t norm;
    int32_t attention;
    int32_t anti_aliasing;
    int32_t preactivation;
    int32_t block_width_count;
    const int32_t *block_widths;
} backbone_options;
typedef struct backbone_load_options {
    uint32_t struct_size;
    int32_t strict;
    const char *key;
    const char *prefix;
    int32_t input_channels;
    int32_t channel_map_length;
    const int32_t *channel_map;
    int32_t allow_missing;
    int32_t ignore_modules;
    uint64_t max_stream_bytes;
    int32_t head;
    int32_t reserved;
} backbone_load_options;
typedef struct backbone_tensor {
    void *data;
    int32_t dtype;
    int32_t reserved;
    int64_t shape[4];
    int64_t strides[4];
} backbone_tensor;
const char *backbone_version_string(void);
int32_t backbone_abi_version(void);
const char *backbone_last_error_message(void);
int32_t backbone_options_init(backbone_options *options, size_t struct_size);
size_t backbone_architecture_count(void);
const char *backbone_architecture_name(size_t index);
int32_t backbone_create(const backbone_options *options, backbone **out);
void backbone_free(backbone *net);
int32_t backbone_get_options(const backbone *net, backbone_options *out);
int32_t backbone_init_weights(backbone *net, uint64_t seed);
int32_t backbone_load_options_init(backbone_load_options *options, size_t struct_size);
int32_t backbone_load_weights_with(backbone *net, const char *path, const backbone_load_options *options,
                                   backbone_report **out_report);
int32_t backbone_create_from_file(const char *path, const backbone_options *options,
                                  const backbone_load_options *load_options, backbone **out,
                                  backbone_report **out_report);
int32_t backbone_save_weights(const backbone *net, const char *path);
int32_t backbone_save_weights_with(const backbone *net, const char *path, const char *names);
int32_t backbone_report_to_json(const backbone_report *report, const char **out);
void backbone_report_free(backbone_report *report);
int32_t backbone_freeze(backbone *net, int32_t frozen_stages);
int32_t backbone_set_training(backbone *net, int32_t training);
int32_t backbone_get_training(const backbone *net, int32_t *out);
int32_t backbone_output_shapes(const backbone *net, const int64_t *input_shape, int64_t *out, size_t count);
int32_t backbone_forward(backbone *net, const backbone_tensor *input, const backbone_tensor *outputs, size_t count);
int32_t backbone_cancel(backbone *net);
typedef struct backbone_tape backbone_tape;
typedef struct backbone_tape_options {
    uint32_t struct_size;
    int32_t input_gradient;
    int32_t retain;
    int32_t recompute;
} backbone_tape_options;
int32_t backbone_tape_options_init(backbone_tape_options *options, size_t struct_size);
int32_t backbone_tape_create(const backbone *net, const backbone_tape_options *options, backbone_tape **out);
void backbone_tape_free(backbone_tape *tape);
int32_t backbone_tape_bytes(const backbone *net, const backbone_tape *tape, size_t *out);
int32_t backbone_forward_train(backbone *net, backbone_tape *tape, const backbone_tensor *input,
                               const backbone_tensor *outputs, size_t count);
int32_t backbone_backward(backbone *net, backbone_tape *tape, const backbone_tensor *output_gradients, size_t count,
                          const backbone_tensor *input_gradient, float *gradients, size_t gradient_count,
                          uint32_t flags);
int32_t backbone_feature_gradients(backbone *net, backbone_tape *tape, const backbone_tensor *output_gradients,
                                   size_t count, const backbone_tensor *feature_gradients);
int32_t backbone_trainable_count(const backbone *net, size_t *out);
int32_t backbone_trainable_slot(const backbone *net, size_t index, size_t *offset, size_t *count);
int32_t backbone_read_trainable(const backbone *net, float *out, size_t count);
int32_t backbone_write_trainable(backbone *net, const float *values, size_t count);
int32_t backbone_set_trainable(backbone *net, int32_t which);
int32_t backbone_cross_entropy(const backbone_tensor *logits, const int64_t *labels, size_t count,
                               double label_smoothing, double *out_loss, const backbone_tensor *gradient);
typedef struct backbone_optimizer backbone_optimizer;
typedef struct backbone_parameter_group {
    const char *prefix;
    uint32_t kinds;
    int32_t reserved;
    double learning_rate_factor;
    double weight_decay;
} backbone_parameter_group;
typedef struct backbone_optimizer_options {
    uint32_t struct_size;
    int32_t kind;
    int32_t nesterov;
    int32_t reserved;
    double momentum;
    double dampening;
    double beta1;
    double beta2;
    double epsilon;
    double weight_decay;
    const backbone_parameter_group *groups;
    size_t group_count;
} backbone_optimizer_options;
int32_t backbone_optimizer_options_init(backbone_optimizer_options *options, size_t struct_size, int32_t kind);
int32_t backbone_optimizer_create(const backbone *net, const backbone_optimizer_options *options,
                                  backbone_optimizer **out);
void backbone_optimizer_free(backbone_optimizer *optimizer);
int32_t backbone_optimizer_step(backbone *net, backbone_optimizer *optimizer, const float *gradients, size_t count,
                                double learning_rate, uint32_t flags);
int32_t backbone_optimizer_follow(const backbone *net, backbone_optimizer *optimizer);
int32_t backbone_clip_gradients(const backbone *net, float *gradients, size_t count, double max_norm,
                                double *out_norm);
int32_t backbone_save_training(const backbone *net, const backbone_optimizer *optimizer, const char *path,
                               double learning_rate);
int32_t backbone_load_training(backbone *net, backbone_optimizer *optimizer, const char *path,
                               backbone_report **out_report);
int32_t backbone_statistics_begin(backbone *net);
int32_t backbone_statistics_add(backbone *net, const backbone_tensor *input);
int32_t backbone_statistics_commit(backbone *net);
int32_t backbone_statistics_cancel(backbone *net);
]]

local FUNCTIONS = {
    "version_string", "last_error_message", "options_init", "architecture_count", "architecture_name", "create", "free",
    "get_options", "init_weights", "load_options_init", "load_weights_with", "create_from_file", "save_weights",
    "save_weights_with", "report_to_json", "report_free", "freeze", "set_training", "get_training", "output_shapes",
    "forward", "cancel", "tape_options_init", "tape_create", "tape_free", "tape_bytes", "forward_train", "backward",
    "feature_gradients", "trainable_count", "trainable_slot", "read_trainable", "write_trainable", "set_trainable",
    "cross_entropy", "optimizer_options_init", "optimizer_create", "optimizer_free", "optimizer_step",
    "optimizer_follow", "clip_gradients", "save_training", "load_training", "statistics_begin", "statistics_add",
    "statistics_commit", "statistics_cancel",
}

local backbone = {
    ABI_VERSION = 1,
    STATUS_INVALID_ARGUMENT = 1,
    STATUS_OUT_OF_MEMORY = 2,
    STATUS_FILE_NOT_FOUND = 3,
    STATUS_IO = 4,
    STATUS_BAD_CHECKPOINT = 5,
    STATUS_MISMATCH = 6,
    STATUS_UNKNOWN_NAME = 7,
    STATUS_CANCELLED = 8,
    STATUS_STALE = 9,
    STATUS_NOT_FINITE = 10,
    STAGE_C2 = 1,
    STAGE_C3 = 2,
    STAGE_C4 = 4,
    STAGE_C5 = 8,
    STAGE_ALL = 15,
    STAGE_C1 = 16,
    STAGE_POOLED = 32,
    STAGE_LOGITS = 64,
    CHANNELS_AS_GIVEN = 0,
    CHANNELS_REVERSED = 1,
    NORMALIZE_UINT8 = 0,
    NORMALIZE_ALL = 1,
    ARITHMETIC_FAST = 0,
    ARITHMETIC_DIRECT = 1,
    STYLE_PYTORCH = 0,
    STYLE_CAFFE = 1,
    BLOCK_BASIC = 1,
    BLOCK_BOTTLENECK = 2,
    STEM_SINGLE = 1,
    STEM_DEEP = 2,
    STEM_TIERED = 3,
    STEM_SMALL = 4,
    STEM_POOLING_MAX = 1,
    STEM_POOLING_CONVOLUTION = 2,
    STEM_POOLING_NONE = 3,
    SHORTCUT_PROJECTION = 1,
    SHORTCUT_AVERAGE = 2,
    SHORTCUT_SUBSAMPLE = 3,
    SHORTCUT_EVERYWHERE = 4,
    SHORTCUT_3X3 = 5,
    SHORTCUT_NONE = 6,
    NORM_BATCH = 1,
    NORM_GROUP = 2,
    ATTENTION_NONE = 1,
    ATTENTION_SE = 2,
    ATTENTION_SE_QUARTER = 3,
    ATTENTION_ECA = 4,
    ANTI_ALIASING_NONE = 1,
    ANTI_ALIASING_BLUR = 2,
    ANTI_ALIASING_AVERAGE = 3,
    DILATION_PREVIOUS = 0,
    DILATION_WHOLE = 1,
    HEAD_EXACT = 0,
    HEAD_NEW = 1,
    TRAINABLE_ALL = 0,
    TRAINABLE_NORMS = 1,
    TRAINABLE_HEAD = 2,
    IGNORED_LABEL = -100,
    OPTIMIZER_SGD = 0,
    OPTIMIZER_ADAMW = 1,
    PARAMETERS_WEIGHTS = 1,
    PARAMETERS_NORMS = 2,
    PARAMETERS_BIASES = 4,
    IMAGENET_MEAN = {123.675, 116.28, 103.53},
    IMAGENET_STD_DEV = {58.395, 57.12, 57.375},
}

local DTYPE_FLOAT32, DTYPE_UINT8 = 0, 1

-- ---- Errors --------------------------------------------------------------------------------------------------------

local Error = {}
Error.__index = Error
function Error:__tostring() return self.message end

local function fail(status, message, report)
    error(setmetatable({status = status, message = message, report = report}, Error), 0)
end

local function invalid(format, ...) fail(backbone.STATUS_INVALID_ARGUMENT, format:format(...)) end

-- ---- The library ---------------------------------------------------------------------------------------------------

local lib, loaded_from

local function open(place)
    local found, library = pcall(ffi.load, place)
    if not found then
        fail(backbone.STATUS_IO, ("libbackbone cannot be loaded: %s. It is looked for as the file that load() names, "
            .. "as the one that the environment variable BACKBONE_LIBRARY names, and as libbackbone.so.%d by the "
            .. "system's loader."):format(library, backbone.ABI_VERSION))
    end
    local function need(name)
        if not pcall(function() return library[name] end) then
            fail(backbone.STATUS_IO, ("%s is not libbackbone: it lacks %s"):format(place, name))
        end
    end
    -- Checked first: another ABI may lack the other functions.
    need("backbone_abi_version")
    local version = library.backbone_abi_version()
    if version ~= backbone.ABI_VERSION then
        fail(backbone.STATUS_IO, ("%s has ABI version %d; this binding needs %d"):format(place, version,
            backbone.ABI_VERSION))
    end
    for _, name in ipairs(FUNCTIONS) do need("backbone_" .. name) end
    return library
end

--- Opens the library, before any other call.
-- @param path  the library's file; nil: as every first call looks for it
function backbone.load(path)
    if lib then
        if path then fail(backbone.STATUS_IO, "libbackbone is loaded already, from " .. loaded_from) end
        return
    end
    local variable = os.getenv("BACKBONE_LIBRARY")
    if variable == "" then variable = nil end
    loaded_from = path or variable or ("libbackbone.so." .. backbone.ABI_VERSION)
    lib = open(loaded_from)
end

--- The version of the library, "major.minor.patch".
function backbone.version()
    backbone.load()
    return ffi.string(lib.backbone_version_string())
end

--- A table of the names that the option `architecture` accepts: "resnet50", "wide_resnet50_2", ...
function backbone.architectures()
    backbone.load()
    local names = {}
    for index = 1, tonumber(lib.backbone_architecture_count()) do
        names[index] = ffi.string(lib.backbone_architecture_name(index - 1))
    end
    return names
end

-- What was collected during a call, with what frees it: the message of a failure lives until the next call of the
-- library, and a finalizer may run at every allocation, also before the message is copied.
local calling, collected = false, {}

local function finalizer(name)
    return function(pointer)
        if calling then
            collected[#collected + 1] = {pointer, name}
        else
            lib[name](pointer)
        end
    end
end

local finalize_net, finalize_tape = finalizer("backbone_free"), finalizer("backbone_tape_free")
local finalize_optimizer = finalizer("backbone_optimizer_free")

-- Calls a function; its status, and the message of a failure.
local function call(name, ...)
    calling = true
    local good, status = pcall(lib["backbone_" .. name], ...)
    local message = good and status ~= 0 and ffi.string(lib.backbone_last_error_message())
    calling = false
    while collected[1] do
        local pointer, free = unpack(table.remove(collected))
        lib[free](pointer)
    end
    if not good then invalid("%s: %s", name, status) end -- a value that C's type cannot have
    return status, message
end

local function check(name, ...)
    local status, message = call(name, ...)
    if message then fail(status, message) end
end

-- ---- Values for C --------------------------------------------------------------------------------------------------

local function c_text(label, value)
    if type(value) ~= "string" then invalid("%s is a %s; it must be a string", label, type(value)) end
    if value:find("\0", 1, true) then invalid("%s contains a zero byte", label) end
    return value
end

local function int32(label, value)
    if value == true or value == false then return value and 1 or 0 end
    if type(value) ~= "number" or value ~= math.floor(value) or math.abs(value) >= 2 ^ 31 then
        invalid("%s is %s; it must be an integer of 32 bits", label, tostring(value))
    end
    return value
end

local function shape_text(shape)
    return ("(%s, %s, %s, %s)"):format(shape[1], shape[2], shape[3], shape[4])
end

local function shape_array(shape)
    if type(shape) ~= "table" or #shape ~= 4 then invalid("the shape must be a table of N, C, H and W") end
    return ffi.new("int64_t[4]", shape)
end

local function elements(shape)
    return tonumber(shape[1]) * tonumber(shape[2]) * tonumber(shape[3]) * tonumber(shape[4])
end

-- How many elements an array of C has, or a string where that will do. A bare pointer does not tell.
local function count_of(label, data, kind, allow_strings)
    if allow_strings and type(data) == "string" then return #data / ffi.sizeof(kind) end
    if type(data) == "cdata" and tostring(ffi.typeof(data)):match("^ctype<" .. kind .. " %[[%d?]+%]>$") then
        return ffi.sizeof(data) / ffi.sizeof(kind)
    end
    invalid("%s is not an array of %s", label, kind)
end

-- Where its elements are, which are as many as the shape has.
local function pointer_to(label, data, kind, shape, allow_strings)
    local count = count_of(label, data, kind, allow_strings)
    if count ~= elements(shape) then
        invalid("%s has %.14g elements; shape %s needs %.14g", label, count, shape_text(shape), elements(shape))
    end
    return ffi.cast("void *", type(data) == "string" and ffi.cast("const char *", data) or data)
end

local function describe(tensor, data, dtype, shape, layout)
    local n, c, h, w = unpack(shape)
    tensor.data, tensor.dtype, tensor.reserved = data, dtype, 0
    tensor.shape = {n, c, h, w}
    tensor.strides = layout == "nhwc" and {h * w * c, 1, w * c, c} or {c * h * w, h * w, w, 1}
end

--- Elements that the network takes as they are.
-- @param data    float[?] of ffi.new, or a string of their bytes; kept alive during the call, not copied
-- @param shape   {N, C, H, W}
-- @param layout  "nchw", the default, or "nhwc": their order in memory
function backbone.float32(data, shape, layout)
    return {data = data, kind = "float", dtype = DTYPE_FLOAT32, shape = shape, layout = layout or "nchw"}
end

--- Pixels of which the network computes (x - mean) / std_dev.
-- @param data    uint8_t[?] of ffi.new, or a string
-- @param shape   {N, C, H, W} all the same
-- @param layout  "nhwc", the default, or "nchw"
function backbone.uint8(data, shape, layout)
    return {data = data, kind = "unsigned char", dtype = DTYPE_UINT8, shape = shape, layout = layout or "nhwc"}
end

-- ---- Options -------------------------------------------------------------------------------------------------------

local INTEGERS = {
    "depth", "in_channels", "base_channels", "out_stages", "frozen_stages", "norm_eval", "zero_init_residual",
    "threads", "channel_order", "arithmetic", "style", "normalization", "num_classes", "output_stride",
    "dilated_stages", "dilation_rule", "block", "groups", "width_per_group", "stem", "stem_channels", "stem_pooling",
    "shortcut", "norm", "attention", "anti_aliasing", "preactivation",
}
local KNOWN = {
    architecture = true, norm_eps = true, mean = true, std_dev = true, block_counts = true, block_widths = true,
}
for _, name in ipairs(INTEGERS) do KNOWN[name] = true end

-- The struct for a table of options, and what it points to.
local function c_options(given)
    local options, anchors = ffi.new("backbone_options"), {}
    check("options_init", options, ffi.sizeof(options))
    for name in pairs(given or {}) do
        if not KNOWN[name] then invalid("unknown option '%s'", tostring(name)) end
    end
    if given and given.architecture ~= nil then
        anchors.architecture = c_text("architecture", given.architecture)
        options.architecture = anchors.architecture
        options.depth = 0 -- unless given: the default, 50, would contradict the name
    end
    for _, name in ipairs(INTEGERS) do
        if given and given[name] ~= nil then options[name] = int32(name, given[name]) end
    end
    if given and given.norm_eps then options.norm_eps = given.norm_eps end
    for _, name in ipairs {"mean", "std_dev"} do
        local values = given and given[name]
        if values then
            if #values ~= options.in_channels then
                invalid("%s has %d values; it must have one for each of in_channels, %d", name, #values,
                    options.in_channels)
            end
            anchors[name] = ffi.new("float[?]", #values, values)
            options[name] = anchors[name]
        end
    end
    local counts, widths = given and given.block_counts or {}, given and given.block_widths or {}
    if #counts > 4 then invalid("block_counts has %d numbers; it must have at most 4", #counts) end
    for index, count in ipairs(counts) do
        options.block_counts[index - 1] = int32(("block_counts[%d]"):format(index - 1), count)
    end
    if #widths > 0 then
        anchors.block_widths = ffi.new("int32_t[?]", #widths)
        for index, width in ipairs(widths) do
            anchors.block_widths[index - 1] = int32(("block_widths[%d]"):format(index - 1), width)
        end
        options.block_widths, options.block_width_count = anchors.block_widths, #widths
    end
    return options, anchors
end

-- Calls a function that gives a report, and returns that as JSON.
local function reported(load)
    local report, json = ffi.new("backbone_report *[1]"), nil
    local status, message = load(report)
    if report[0] ~= nil then
        local text = ffi.new("const char *[1]")
        if call("report_to_json", report[0], text) == 0 then json = ffi.string(text[0]) end
        lib.backbone_report_free(report[0])
    end
    if message then fail(status, message, json) end
    return json
end

-- Calls a function with options for loading, and returns the report as JSON.
local function loading(given, load)
    local options = ffi.new("backbone_load_options")
    check("load_options_init", options, ffi.sizeof(options))
    given = given or {}
    local key, prefix = given.key and c_text("key", given.key), given.prefix and c_text("prefix", given.prefix)
    options.strict = given.strict and 1 or 0
    options.allow_missing = given.allow_missing and 1 or 0
    options.ignore_modules = given.ignore_modules and 1 or 0
    options.max_stream_bytes = given.max_stream_bytes or 0
    options.head = int32("head", given.head or backbone.HEAD_EXACT)
    options.key, options.prefix = key, prefix
    local json = reported(function(report) return load(options, report) end)
    return json, key, prefix -- the strings are alive until here
end

-- ---- The network ---------------------------------------------------------------------------------------------------

local ResNet = {}
ResNet.__index = ResNet

local function count_outputs(bits)
    local count = 0
    for output = 0, 6 do count = count + math.floor(bits / 2 ^ output) % 2 end
    return count
end

local function own(pointer)
    local net = setmetatable({_net = ffi.gc(pointer, finalize_net)}, ResNet)
    net._outputs = count_outputs(net:options().out_stages)
    return net
end

-- The pointer, for one call: the network is in use by the caller, and Lua collects nothing during a call of C.
local function handle(net)
    local pointer = net._net
    if pointer == nil then invalid("this ResNet is closed") end
    return pointer
end

--- A network in evaluation mode with random weights, those of `init_weights(0)`.
-- @param options  a table of the fields of backbone_options that are not to be as the library has them: depth (50) or
--                 architecture (one of `architectures`), in_channels (3), base_channels, out_stages, frozen_stages,
--                 norm_eval, zero_init_residual, threads, channel_order, arithmetic, style, norm_eps, normalization,
--                 mean and std_dev, tables of a number for each channel, num_classes, output_stride, dilated_stages
--                 and all others up to block_widths; block_counts and block_widths are tables
function backbone.ResNet(options)
    backbone.load()
    local struct, anchors = c_options(options)
    local out = ffi.new("backbone *[1]")
    check("create", struct, out)
    return own(out[0]), anchors and nil
end

--- The network that a checkpoint describes, with its weights, and the report of the load as JSON.
-- @param path          the file
-- @param options       as for ResNet; the file determines base_channels, in_channels and the architecture, unless
--                      `architecture` names it
-- @param load_options  as for load_weights
function backbone.from_file(path, options, load_options)
    backbone.load()
    c_text("path", path)
    local struct, anchors = c_options(options)
    local out = ffi.new("backbone *[1]")
    local report = loading(load_options, function(how, out_report)
        return call("create_from_file", path, struct, how, out, out_report)
    end)
    return own(out[0]), report, anchors and nil
end

--- Frees the network; may be called again. Every other function then fails.
function ResNet:close()
    local pointer = self._net
    if pointer == nil then return end
    self._net = nil
    lib.backbone_free(ffi.gc(pointer, nil))
end

--- Where the network is, a number: for `backbone.cancel` in the Lua state of another thread.
function ResNet:address() return tonumber(ffi.cast("uintptr_t", handle(self))) end

--- Ends the calls in progress on a network: they fail with STATUS_CANCELLED, and the network is unchanged.
-- Later calls are not affected. For Lua states of other threads, as lanes and luv have them; the network must be open
-- until this returns.
-- @param address  what the network's `address` gave
function backbone.cancel(address)
    if type(address) ~= "number" or address <= 0 then invalid("address is what ResNet.address gives") end
    backbone.load()
    lib.backbone_cancel(ffi.cast("backbone *", ffi.cast("uintptr_t", address)))
end

--- Draws new weights, which are the same for the same seed (0 to 2^53 - 1, or an uint64_t).
function ResNet:init_weights(seed) check("init_weights", handle(self), seed) end

--- Loads a .pth, a pickle of arrays or a safetensors file. A failed load changes nothing.
-- @param path     the file
-- @param options  a table: `strict` (names that the network lacks are errors), `allow_missing` (weights that the file
--                 lacks keep their values), `ignore_modules` (modules that the network does not compute are left out),
--                 `head` (HEAD_*), `key`, `prefix` and `max_stream_bytes` (see backbone.h)
-- @return         a report of what was found, as JSON; an error for a file that does not fit has it too
function ResNet:load_weights(path, options)
    local net = handle(self)
    c_text("path", path)
    local report = loading(options, function(how, out) return call("load_weights_with", net, path, how, out) end)
    return report
end

--- Writes the weights, as a .pth or as safetensors, by the suffix of the path.
function ResNet:save_weights(path) check("save_weights", handle(self), c_text("path", path)) end

--- The same under the names of another project ("detectron2", ...; see backbone.h).
function ResNet:save_weights_with(path, names)
    check("save_weights_with", handle(self), c_text("path", path), c_text("names", names))
end

--- Freezes the stem (0), the stem and the first 1 to 4 stages, or nothing (-1).
function ResNet:freeze(frozen_stages)
    check("freeze", handle(self), int32("frozen_stages", frozen_stages))
end

--- Enters (true) or leaves training mode.
function ResNet:set_training(training) check("set_training", handle(self), training and 1 or 0) end

--- Whether the network is in training mode.
function ResNet:training()
    local value = ffi.new("int32_t[1]")
    check("get_training", handle(self), value)
    return value[0] == 1
end

--- The current options, in the form that ResNet accepts, with the number of threads in use.
--
-- `architecture` is always set; it is "custom", and `depth` 0, for a network that only its file describes.
function ResNet:options()
    local struct, result = ffi.new("backbone_options"), {}
    struct.struct_size = ffi.sizeof(struct)
    check("get_options", handle(self), struct)
    for _, name in ipairs(INTEGERS) do result[name] = struct[name] end
    result.norm_eval, result.zero_init_residual = struct.norm_eval == 1, struct.zero_init_residual == 1
    result.norm_eps = struct.norm_eps
    result.architecture = ffi.string(struct.architecture)
    result.block_counts = {}
    for stage = 1, 4 do result.block_counts[stage] = struct.block_counts[stage - 1] end
    if struct.block_widths ~= nil then
        result.block_widths = {}
        for index = 1, struct.block_width_count do result.block_widths[index] = struct.block_widths[index - 1] end
    end
    for _, name in ipairs {"mean", "std_dev"} do
        local values = struct[name]
        if values ~= nil then
            result[name] = {}
            for channel = 1, struct.in_channels do result[name][channel] = values[channel - 1] end
        end
    end
    return result
end

--- The shapes {N, C, H, W} of the outputs for images of a shape {N, C, H, W}: C1, C2 to C5, pooled, logits, as far as
-- they were requested.
function ResNet:output_shapes(shape)
    local net, input = handle(self), shape_array(shape)
    local rows, result = ffi.new("int64_t[?]", 4 * self._outputs), {}
    check("output_shapes", net, input, rows, self._outputs)
    for stage = 1, self._outputs do
        result[stage] = {}
        for size = 1, 4 do result[stage][size] = tonumber(rows[4 * (stage - 1) + size - 1]) end
    end
    return result
end

--- Computes the outputs into the caller's memory.
-- @param image  what `float32` or `uint8` returned
-- @param out    a table with a float[?] of ffi.new for each of output_shapes; NCHW
function ResNet:forward_into(image, out)
    self:_compute(image, out, function(...) return call("forward", handle(self), ...) end)
end

function ResNet:_compute(image, out, run)
    local shapes = self:output_shapes(image.shape)
    local input, outputs = ffi.new("backbone_tensor[1]"), ffi.new("backbone_tensor[?]", self._outputs)
    describe(input[0], pointer_to("the input", image.data, image.kind, image.shape, true), image.dtype,
        image.shape, image.layout)
    if #out ~= self._outputs then invalid("out has %d buffers; this network gives %d", #out, self._outputs) end
    for stage, shape in ipairs(shapes) do
        local data = out[stage]
        describe(outputs[stage - 1], pointer_to(("out[%d]"):format(stage - 1), data, "float", shape), DTYPE_FLOAT32,
            shape, "nchw")
    end
    -- The structs hold addresses alone, which the collector does not see: this is what keeps the arrays.
    self._used = {image, out}
    local status, message = run(input, outputs, self._outputs)
    self._used = nil
    if message then fail(status, message) end
end

--- The outputs for a batch of images, in the order of output_shapes.
-- @param image  what `float32` or `uint8` returned
-- @return       a table of tables with `data`, a float[?] from index 0, NCHW, and `shape`, of pooled and logits
--               {N, C, 1, 1}
function ResNet:forward(image)
    return self:_features(image, function(out) self:forward_into(image, out) end)
end

function ResNet:_features(image, compute)
    local shapes = self:output_shapes(image.shape)
    pointer_to("the input", image.data, image.kind, image.shape, true) -- before memory is spent on one that is wrong
    local features, out = {}, {}
    for stage, shape in ipairs(shapes) do
        out[stage] = ffi.new("float[?]", elements(shape))
        features[stage] = {data = out[stage], shape = shape}
    end
    compute(out)
    return features
end

-- ---- Training ------------------------------------------------------------------------------------------------------

local Tape, Optimizer = {_name = "Tape"}, {_name = "Optimizer"}
Tape.__index, Optimizer.__index = Tape, Optimizer

-- The pointer of a tape or an optimiser, for one call.
local function pointer_of(kind, object)
    if getmetatable(object) ~= kind then invalid("%s expected", kind._name) end
    if object._pointer == nil then invalid("this %s is closed", kind._name) end
    return object._pointer
end

local function close(object, free)
    local pointer = object._pointer
    if pointer == nil then return end
    object._pointer = nil
    lib[free](ffi.gc(pointer, nil))
end

--- Frees the tape; may be called again, and before or after the network is closed.
function Tape:close() close(self, "backbone_tape_free") end

--- Frees the optimiser; may be called again, and before or after the network is closed.
function Optimizer:close() close(self, "backbone_optimizer_free") end

--- An empty tape: what a forward pass keeps for the backward pass.
-- @param options  a table: `input_gradient` (`backward` can compute the gradient of the input), `retain` (several
--                 backward passes can follow a forward pass) and `recompute` (the backward pass recomputes activations
--                 within blocks instead of keeping them); nil for none of them
function ResNet:new_tape(options)
    local struct, out = ffi.new("backbone_tape_options"), ffi.new("backbone_tape *[1]")
    options = options or {}
    check("tape_options_init", struct, ffi.sizeof(struct))
    struct.input_gradient, struct.retain = options.input_gradient and 1 or 0, options.retain and 1 or 0
    struct.recompute = options.recompute and 1 or 0
    check("tape_create", handle(self), struct, out)
    return setmetatable({_pointer = ffi.gc(out[0], finalize_tape)}, Tape)
end

--- The memory that a tape uses, in bytes.
function ResNet:tape_bytes(tape)
    local out = ffi.new("size_t[1]")
    check("tape_bytes", handle(self), pointer_of(Tape, tape), out)
    return tonumber(out[0])
end

--- Computes the outputs as `forward` does, and fills the tape for `backward`.
function ResNet:forward_train(tape, image)
    return self:_features(image, function(out) self:forward_train_into(tape, image, out) end)
end

--- The same into the caller's memory, as `forward_into`.
function ResNet:forward_train_into(tape, image, out)
    self:_compute(image, out, function(...)
        return call("forward_train", handle(self), pointer_of(Tape, tape), ...)
    end)
end

local function describe_feature(label, tensor, feature)
    shape_array(feature.shape)
    describe(tensor, pointer_to(label, feature.data, "float", feature.shape), DTYPE_FLOAT32, feature.shape, "nchw")
end

-- The C structs of a gradient for each output, or false.
local function describe_gradients(label, gradients)
    local tensors = ffi.new("backbone_tensor[?]", math.max(#gradients, 1))
    for index, gradient in ipairs(gradients) do
        if gradient then describe_feature(("%s[%d]"):format(label, index - 1), tensors[index - 1], gradient) end
    end
    return tensors
end

--- Computes gradients from those of the outputs.
-- @param tape              as forward_train filled it
-- @param output_gradients  a table with {data = float[?], shape = {N, C, H, W}} for each output, or false for zeros
-- @param options           a table: `gradients`, a float[?] of trainable_count elements, receives those of all
--                          trainable parameters; `input_gradient`, {data = float[?], shape = that of the images},
--                          receives that of the input, which the tape must allow; `accumulate` adds to `gradients`
function ResNet:backward(tape, output_gradients, options)
    options = options or {}
    local outputs, input = describe_gradients("output_gradients", output_gradients), nil
    if options.input_gradient then
        input = ffi.new("backbone_tensor[1]")
        describe_feature("input_gradient", input[0], options.input_gradient)
    end
    local gradients = options.gradients
    local floats = gradients and count_of("gradients", gradients, "float") or 0
    self._used = {output_gradients, options}
    local status, message = call("backward", handle(self), pointer_of(Tape, tape), outputs, #output_gradients, input,
        gradients, floats, options.accumulate and 1 or 0)
    self._used = nil
    if message then fail(status, message) end
end

--- Computes the gradients with respect to outputs, such as those of a class's logit with respect to C5. Outputs of
-- frozen stages have gradients only on a tape with `input_gradient`.
-- @param tape               as forward_train filled it
-- @param output_gradients   as for `backward`
-- @param feature_gradients  a table with {data = float[?], shape = that of the output} for each output, which receive
--                           the gradients, or false for those that are not wanted
function ResNet:feature_gradients(tape, output_gradients, feature_gradients)
    local outputs = describe_gradients("output_gradients", output_gradients)
    local features = describe_gradients("feature_gradients", feature_gradients)
    -- The C function has one count for both.
    if #output_gradients ~= #feature_gradients then
        invalid("%d feature_gradients for %d output_gradients; pass one for each", #feature_gradients,
            #output_gradients)
    end
    self._used = {output_gradients, feature_gradients}
    local status, message = call("feature_gradients", handle(self), pointer_of(Tape, tape), outputs,
        #output_gradients, features)
    self._used = nil
    if message then fail(status, message) end
end

--- Chooses which parameters outside of the frozen stages are trained: TRAINABLE_*.
function ResNet:set_trainable(which) check("set_trainable", handle(self), int32("which", which)) end

--- How many floats all trainable parameters together have.
function ResNet:trainable_count()
    local out = ffi.new("size_t[1]")
    check("trainable_count", handle(self), out)
    return tonumber(out[0])
end

--- Where the gradient of an entry of the state dict, counted from 0, is among all gradients: the index of its first
-- float, from 0, and how many it has, 0 for an entry that is not trainable.
function ResNet:trainable_slot(index)
    local offset, count = ffi.new("size_t[1]"), ffi.new("size_t[1]")
    check("trainable_slot", handle(self), index, offset, count)
    return tonumber(offset[0]), tonumber(count[0])
end

--- All trainable parameters: a float[?].
function ResNet:read_trainable()
    local count = self:trainable_count()
    local values = ffi.new("float[?]", count)
    check("read_trainable", handle(self), values, count)
    return values
end

--- Copies a float[?] to all trainable parameters.
function ResNet:write_trainable(values)
    check("write_trainable", handle(self), values, count_of("values", values, "float"))
end

--- Scales gradients, a float[?], so that their Euclidean norm is at most `max_norm`; returns the norm before.
function ResNet:clip_gradients(gradients, max_norm)
    local norm = ffi.new("double[1]")
    check("clip_gradients", handle(self), gradients, count_of("gradients", gradients, "float"), max_norm, norm)
    return norm[0]
end

local used -- as `_used` of networks

--- The mean cross entropy of logits, and its gradient for them.
-- @param logits           {data = float[?], shape = {N, K, 1, 1}}
-- @param labels           a table of N classes, or IGNORED_LABEL for an image that does not count
-- @param label_smoothing  0 to 1; nil for 0
-- @return                 the loss, and the gradient as {data = ..., shape = ...}
function backbone.cross_entropy(logits, labels, label_smoothing)
    backbone.load()
    local input, output = ffi.new("backbone_tensor[1]"), ffi.new("backbone_tensor[1]")
    local loss, classes = ffi.new("double[1]"), ffi.new("int64_t[?]", math.max(#labels, 1))
    describe_feature("logits", input[0], logits)
    local gradient = {data = ffi.new("float[?]", elements(logits.shape)), shape = {unpack(logits.shape)}}
    describe_feature("the gradient", output[0], gradient)
    for index, label in ipairs(labels) do classes[index - 1] = label end
    used = {logits, gradient}
    local status, message = call("cross_entropy", input, classes, #labels, label_smoothing or 0, loss, output)
    used = nil
    if message then fail(status, message) end
    return loss[0], gradient
end

local RATES = {"momentum", "dampening", "beta1", "beta2", "epsilon", "weight_decay"}
local OPTIMIZER_OPTIONS = {kind = true, nesterov = true, groups = true}
for _, name in ipairs(RATES) do OPTIMIZER_OPTIONS[name] = true end

--- A new optimiser for the parameters that are trainable now.
-- @param options  a table, with PyTorch's defaults: kind (OPTIMIZER_SGD), nesterov, momentum, dampening, beta1, beta2,
--                 epsilon, weight_decay and groups, a table of {prefix = ..., kinds = PARAMETERS_*,
--                 learning_rate_factor = 1, weight_decay = 0}; a parameter belongs to the first that fits
function ResNet:new_optimizer(options)
    options = options or {}
    for name in pairs(options) do
        if not OPTIMIZER_OPTIONS[name] then invalid("unknown option '%s'", tostring(name)) end
    end
    local struct, out = ffi.new("backbone_optimizer_options"), ffi.new("backbone_optimizer *[1]")
    local kind = int32("kind", options.kind or backbone.OPTIMIZER_SGD)
    check("optimizer_options_init", struct, ffi.sizeof(struct), kind)
    struct.nesterov = options.nesterov and 1 or 0
    for _, name in ipairs(RATES) do
        if options[name] then struct[name] = options[name] end
    end
    local given, prefixes = options.groups or {}, {}
    local groups = ffi.new("backbone_parameter_group[?]", math.max(#given, 1))
    for index, group in ipairs(given) do
        local to = groups[index - 1]
        prefixes[index] = group.prefix and c_text("prefix", group.prefix) or ""
        to.prefix = prefixes[index]
        to.kinds = int32("kinds", group.kinds or 0)
        to.learning_rate_factor, to.weight_decay = group.learning_rate_factor or 1, group.weight_decay or 0
    end
    struct.groups, struct.group_count = groups, #given
    self._used = {groups, prefixes}
    local status, message = call("optimizer_create", handle(self), struct, out)
    self._used = nil
    if message then fail(status, message) end
    return setmetatable({_pointer = ffi.gc(out[0], finalize_optimizer)}, Optimizer)
end

--- Updates all trainable parameters from their gradients: one step of the optimiser.
-- @param gradients         a float[?] of trainable_count elements
-- @param allow_not_finite  computes also with gradients that are NaN or infinite, which otherwise are an error of
--                          STATUS_NOT_FINITE
function ResNet:step(optimizer, gradients, learning_rate, allow_not_finite)
    local count = count_of("gradients", gradients, "float")
    check("optimizer_step", handle(self), pointer_of(Optimizer, optimizer), gradients, count, learning_rate,
        allow_not_finite and 1 or 0)
end

--- Adapts a stale optimiser to the parameters that are trainable now.
function ResNet:follow(optimizer) check("optimizer_follow", handle(self), pointer_of(Optimizer, optimizer)) end

--- Writes the weights and the state of an optimiser to one file that PyTorch can read.
function ResNet:save_training(optimizer, path, learning_rate)
    check("save_training", handle(self), pointer_of(Optimizer, optimizer), c_text("path", path), learning_rate)
end

--- Loads what save_training or PyTorch wrote; returns a report of what was found, as JSON.
function ResNet:load_training(optimizer, path)
    local net, pointer = handle(self), pointer_of(Optimizer, optimizer)
    c_text("path", path)
    return reported(function(out) return call("load_training", net, pointer, path, out) end)
end

--- Begins to collect the statistics of BatchNorms from images: backbone_statistics_begin.
function ResNet:begin_statistics() check("statistics_begin", handle(self)) end

--- Adds the statistics of a batch.
function ResNet:add_statistics(image)
    local input = ffi.new("backbone_tensor[1]")
    shape_array(image.shape)
    describe(input[0], pointer_to("the input", image.data, image.kind, image.shape, true), image.dtype,
        image.shape, image.layout)
    self._used = image
    local status, message = call("statistics_add", handle(self), input)
    self._used = nil
    if message then fail(status, message) end
end

--- Replaces the running statistics by the collected ones.
function ResNet:commit_statistics() check("statistics_commit", handle(self)) end

--- Ends collecting and changes nothing.
function ResNet:cancel_statistics() check("statistics_cancel", handle(self)) end

return backbone
