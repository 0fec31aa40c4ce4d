-- SPDX-License-Identifier: Apache-2.0
-- Copyright 2026 The libbackbone authors

--- libbackbone for LuaJIT: the features C2 to C5 of a ResNet, on a CPU, from the checkpoints that PyTorch wrote.
--
-- This file is the whole binding: put it where `require` finds it. The library is opened by the first call, as the file
-- that `backbone.load` names, else as the one that the environment variable BACKBONE_LIBRARY names, else as
-- libbackbone.so.1 by the system's loader.
--
-- Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by `close` or when it is
-- collected. Lua computes in one thread, and the library with as many as `threads` says. Every failure is an error
-- whose value is a table with `status` (backbone.STATUS_*), `message` (the library's own words; `tostring` gives it)
-- and, for a checkpoint that does not fit, `report` (JSON).

local ffi = require("ffi")

-- What is used of backbone.h, as it is there.
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
int32_t backbone_report_to_json(const backbone_report *report, const char **out);
void backbone_report_free(backbone_report *report);
int32_t backbone_freeze(backbone *net, int32_t frozen_stages);
int32_t backbone_set_training(backbone *net, int32_t training);
int32_t backbone_get_training(const backbone *net, int32_t *out);
int32_t backbone_output_shapes(const backbone *net, const int64_t *input_shape, int64_t *out, size_t count);
int32_t backbone_forward(backbone *net, const backbone_tensor *input, const backbone_tensor *outputs, size_t count);
]]

local FUNCTIONS = {
    "version_string", "last_error_message", "options_init", "create", "free", "get_options", "init_weights",
    "load_options_init", "load_weights_with", "create_from_file", "save_weights", "report_to_json", "report_free",
    "freeze", "set_training", "get_training", "output_shapes", "forward",
}

local backbone = {
    ABI_VERSION = 1,
    STATUS_INVALID_ARGUMENT = 1,
    STATUS_OUT_OF_MEMORY = 2,
    STATUS_FILE_NOT_FOUND = 3,
    STATUS_IO = 4,
    STATUS_BAD_CHECKPOINT = 5,
    STATUS_MISMATCH = 6,
    STAGE_C2 = 1,
    STAGE_C3 = 2,
    STAGE_C4 = 4,
    STAGE_C5 = 8,
    STAGE_ALL = 15,
    CHANNELS_AS_GIVEN = 0,
    CHANNELS_REVERSED = 1,
    NORMALIZE_UINT8 = 0,
    NORMALIZE_ALL = 1,
    ARITHMETIC_FAST = 0,
    ARITHMETIC_DIRECT = 1,
    STYLE_PYTORCH = 0,
    STYLE_CAFFE = 1,
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
            fail(backbone.STATUS_IO, ("%s is no libbackbone: it lacks %s"):format(place, name))
        end
    end
    -- Asked before anything else: another ABI may lack the other functions.
    need("backbone_abi_version")
    local version = library.backbone_abi_version()
    if version ~= backbone.ABI_VERSION then
        fail(backbone.STATUS_IO, ("%s has ABI version %d; this binding needs %d"):format(place, version,
            backbone.ABI_VERSION))
    end
    for _, name in ipairs(FUNCTIONS) do need("backbone_" .. name) end
    return library
end

--- Opens the library, which no call before this one may have done.
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

-- Networks that were collected during a call: the message of a failure lives until the next call of the library, and a
-- finalizer may run at every allocation, also before the message is copied.
local calling, collected = false, {}

local function finalize(pointer)
    if calling then
        collected[#collected + 1] = pointer
    else
        lib.backbone_free(pointer)
    end
end

-- Calls a function; its status, and the message of a failure.
local function call(name, ...)
    calling = true
    local status = lib["backbone_" .. name](...)
    local message = status ~= 0 and ffi.string(lib.backbone_last_error_message())
    calling = false
    while collected[1] do lib.backbone_free(table.remove(collected)) end
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

-- Where the elements of an array of C or of a string are. A bare pointer does not tell how many there are.
local function pointer_to(label, data, kind, shape)
    local count
    if type(data) == "string" then
        count = #data / ffi.sizeof(kind)
    elseif type(data) == "cdata" and tostring(ffi.typeof(data)):match("^ctype<" .. kind .. " %[[%d?]+%]>$") then
        count = ffi.sizeof(data) / ffi.sizeof(kind)
    else
        invalid("%s is no array of %s", label, kind)
    end
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
    "threads", "channel_order", "arithmetic", "style", "normalization",
}
local KNOWN = {norm_eps = true, mean = true, std_dev = true}
for _, name in ipairs(INTEGERS) do KNOWN[name] = true end

-- The struct for a table of options, and what it points to.
local function c_options(given)
    local options, anchors = ffi.new("backbone_options"), {}
    check("options_init", options, ffi.sizeof(options))
    for name in pairs(given or {}) do
        if not KNOWN[name] then invalid("there is no option '%s'", tostring(name)) end
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
    return options, anchors
end

-- Calls a function with options for loading, and returns the report as JSON.
local function loading(given, load)
    local options, report, json = ffi.new("backbone_load_options"), ffi.new("backbone_report *[1]"), nil
    check("load_options_init", options, ffi.sizeof(options))
    given = given or {}
    local key, prefix = given.key and c_text("key", given.key), given.prefix and c_text("prefix", given.prefix)
    options.strict = given.strict and 1 or 0
    options.allow_missing = given.allow_missing and 1 or 0
    options.ignore_modules = given.ignore_modules and 1 or 0
    options.max_stream_bytes = given.max_stream_bytes or 0
    options.key, options.prefix = key, prefix
    local status, message = load(options, report)
    if report[0] ~= nil then
        local text = ffi.new("const char *[1]")
        if call("report_to_json", report[0], text) == 0 then json = ffi.string(text[0]) end
        lib.backbone_report_free(report[0])
    end
    if message then fail(status, message, json) end
    return json, key, prefix -- the strings are alive until here
end

-- ---- The network ---------------------------------------------------------------------------------------------------

local ResNet = {}
ResNet.__index = ResNet

local function count_stages(bits)
    local count = 0
    for stage = 0, 3 do count = count + math.floor(bits / 2 ^ stage) % 2 end
    return count
end

local function own(pointer)
    local net = setmetatable({_net = ffi.gc(pointer, finalize)}, ResNet)
    net._stages = count_stages(net:options().out_stages)
    return net
end

-- The pointer, for one call: the network is in use by the caller, and Lua collects nothing during a call of C.
local function handle(net)
    local pointer = net._net
    if pointer == nil then invalid("this ResNet is closed") end
    return pointer
end

--- A network in evaluation mode with random weights, those of `init_weights(0)`.
-- @param options  a table of the fields of backbone_options that are not to be as the library has them: depth (50),
--                 in_channels (3), base_channels, out_stages, frozen_stages, norm_eval, zero_init_residual, threads,
--                 channel_order, arithmetic, style, norm_eps, normalization, and mean and std_dev, tables of a number
--                 for each channel
function backbone.ResNet(options)
    backbone.load()
    local struct, anchors = c_options(options)
    local out = ffi.new("backbone *[1]")
    check("create", struct, out)
    return own(out[0]), anchors and nil
end

--- The network that a checkpoint describes, with its weights, and the report of the load as JSON.
-- @param path          the file
-- @param options       as for ResNet; depth, base_channels and in_channels are the file's
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

--- Draws new weights, which are the same for the same seed (0 to 2^53 - 1, or an uint64_t).
function ResNet:init_weights(seed) check("init_weights", handle(self), seed) end

--- Loads a .pth, a pickle of arrays or a safetensors file. A failed load changes nothing.
-- @param path     the file
-- @param options  a table: `strict` (names that the network lacks are errors), `allow_missing` (weights that the file
--                 lacks keep their values), `ignore_modules` (modules that the network does not compute are left out),
--                 `key`, `prefix` and `max_stream_bytes` (see backbone.h)
-- @return         a report of what was found, as JSON; an error for a file that does not fit has it too
function ResNet:load_weights(path, options)
    local net = handle(self)
    c_text("path", path)
    local report = loading(options, function(how, out) return call("load_weights_with", net, path, how, out) end)
    return report
end

--- Writes the weights, as a .pth or as safetensors, by the ending of the path.
function ResNet:save_weights(path) check("save_weights", handle(self), c_text("path", path)) end

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

--- The options as they stand now, as ResNet takes them, with the number of threads in use.
function ResNet:options()
    local struct, result = ffi.new("backbone_options"), {}
    struct.struct_size = ffi.sizeof(struct)
    check("get_options", handle(self), struct)
    for _, name in ipairs(INTEGERS) do result[name] = struct[name] end
    result.norm_eval, result.zero_init_residual = struct.norm_eval == 1, struct.zero_init_residual == 1
    result.norm_eps = struct.norm_eps
    for _, name in ipairs {"mean", "std_dev"} do
        local values = struct[name]
        if values ~= nil then
            result[name] = {}
            for channel = 1, struct.in_channels do result[name][channel] = values[channel - 1] end
        end
    end
    return result
end

--- The shapes {N, C, H, W} of the features of images of a shape {N, C, H, W}, from C2 to C5.
function ResNet:output_shapes(shape)
    local net, input = handle(self), shape_array(shape)
    local rows, result = ffi.new("int64_t[?]", 4 * self._stages), {}
    check("output_shapes", net, input, rows, self._stages)
    for stage = 1, self._stages do
        result[stage] = {}
        for size = 1, 4 do result[stage][size] = tonumber(rows[4 * (stage - 1) + size - 1]) end
    end
    return result
end

--- Computes the features into the caller's memory.
-- @param image  what `float32` or `uint8` returned
-- @param out    a table with a float[?] of ffi.new for each of output_shapes; NCHW
function ResNet:forward_into(image, out)
    local shapes = self:output_shapes(image.shape)
    local input, outputs = ffi.new("backbone_tensor[1]"), ffi.new("backbone_tensor[?]", self._stages)
    describe(input[0], pointer_to("the input", image.data, image.kind, image.shape), image.dtype, image.shape,
        image.layout)
    if #out ~= self._stages then invalid("out has %d buffers; this network gives %d", #out, self._stages) end
    for stage, shape in ipairs(shapes) do
        local data = out[stage]
        describe(outputs[stage - 1], pointer_to(("out[%d]"):format(stage - 1), data, "float", shape), DTYPE_FLOAT32,
            shape, "nchw")
    end
    -- The structs hold addresses alone, which the collector does not see: this is what keeps the arrays.
    self._used = {image, out}
    local status, message = call("forward", handle(self), input, outputs, self._stages)
    self._used = nil
    if message then fail(status, message) end
end

--- The features of a batch of images.
-- @param image  what `float32` or `uint8` returned
-- @return       a table from C2 to C5 of tables with `data`, a float[?] from index 0, NCHW, and `shape`
function ResNet:forward(image)
    local shapes = self:output_shapes(image.shape)
    pointer_to("the input", image.data, image.kind, image.shape) -- before memory is spent on one that is wrong
    local features, out = {}, {}
    for stage, shape in ipairs(shapes) do
        out[stage] = ffi.new("float[?]", elements(shape))
        features[stage] = {data = out[stage], shape = shape}
    end
    self:forward_into(image, out)
    return features
end

return backbone
