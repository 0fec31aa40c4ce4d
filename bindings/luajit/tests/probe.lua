-- SPDX-License-Identifier: Apache-2.0
-- Copyright 2026 The libbackbone authors

-- The commands of bindings/tests/probe.c, through the binding.

local ffi = require("ffi")
local backbone = require("backbone")

local net

local function numbers(word)
    if word == "-" then return nil end
    local result = {}
    for number in word:gmatch("[^,]+") do result[#result + 1] = tonumber(number) end
    return result
end

local function optional(word) return word ~= "-" and word or nil end

local function load_options(words)
    return {
        strict = words[3] == "1",
        key = optional(words[4]),
        prefix = optional(words[5]),
        allow_missing = words[6] == "1",
        ignore_modules = words[7] == "1",
        max_stream_bytes = tonumber(words[8]),
        head = tonumber(words[9]),
    }
end

-- The options that words from `first` on say.
local function given(words, first)
    local options = {}
    for index = first, #words do
        local name, value = words[index]:match("^(.-)=(.*)$")
        local is_list = name == "block_counts" or name == "block_widths"
        options[name] = is_list and numbers(value) or tonumber(value) or value
    end
    return options
end

local function bits(values)
    if not values then return "-" end
    local result = {}
    for index, value in ipairs(values) do
        result[index] = tostring(ffi.cast("uint32_t *", ffi.new("float[1]", value))[0])
    end
    return table.concat(result, ",")
end

-- Sizes beyond 2^53 only C's integers hold.
local function shape_of(words, first)
    local result = {}
    for index = 0, 3 do
        local word = words[first + index]
        result[index + 1] = #word < 16 and tonumber(word) or assert(loadstring("return " .. word .. "LL"))()
    end
    return result
end

local function read(path)
    local file = assert(io.open(path, "rb"))
    local bytes = file:read("*a")
    file:close()
    return bytes
end

local function image_of(words)
    local make = words[2] == "uint8" and backbone.uint8 or backbone.float32
    return make(read(words[8]), shape_of(words, 4), words[3])
end

local function write(path, buffers)
    local file = assert(io.open(path, "wb"))
    for _, data in ipairs(buffers) do file:write(ffi.string(data, ffi.sizeof(data))) end
    file:close()
end

local function forward_into(words, short, most)
    local out = {}
    for index, shape in ipairs(net:output_shapes(shape_of(words, 4))) do
        if index <= most then out[index] = ffi.new("float[?]", shape[1] * shape[2] * shape[3] * shape[4] - short) end
    end
    net:forward_into(image_of(words), out)
    return out
end

local FIELDS = {
    backbone_options = {
        "struct_size", "depth", "in_channels", "base_channels", "out_stages", "frozen_stages", "norm_eval",
        "zero_init_residual", "threads", "channel_order", "mean", "std_dev", "arithmetic", "style", "norm_eps",
        "reserved", "normalization", "reserved2", "architecture", "num_classes", "output_stride", "dilated_stages",
        "dilation_rule", "block_counts", "block", "groups", "width_per_group", "stem", "stem_channels", "stem_pooling",
        "shortcut", "norm", "attention", "anti_aliasing", "preactivation", "block_width_count", "block_widths",
    },
    backbone_load_options = {
        "struct_size", "strict", "key", "prefix", "input_channels", "channel_map_length", "channel_map",
        "allow_missing", "ignore_modules", "max_stream_bytes", "head", "reserved",
    },
    backbone_tensor = {"data", "dtype", "reserved", "shape", "strides"},
    backbone_tape_options = {"struct_size", "input_gradient", "retain", "recompute"},
    backbone_parameter_group = {"prefix", "kinds", "reserved", "learning_rate_factor", "weight_decay"},
    backbone_optimizer_options = {
        "struct_size", "kind", "nesterov", "reserved", "momentum", "dampening", "beta1", "beta2", "epsilon",
        "weight_decay", "groups", "group_count",
    },
}

local function layout(name)
    local lines = {("%s %d"):format(name, ffi.sizeof(name))}
    local fields = FIELDS[name]
    for index, field in ipairs(fields) do
        local offset, value = ffi.offsetof(name, field), ffi.new(name)[field]
        -- Numbers and pointers lose their C type when they are read; none of them is followed by a gap.
        local size = type(value) == "cdata" and ffi.sizeof(value) or nil
        if size == nil then size = (ffi.offsetof(name, fields[index + 1] or "") or ffi.sizeof(name)) - offset end
        lines[#lines + 1] = ("%s %d %d"):format(field, offset, size)
    end
    return table.concat(lines, "\n")
end

local commands = {}

function commands.open(words)
    backbone.load(words[2])
    return "ok"
end

function commands.version() return ("version %s abi %d"):format(backbone.version(), backbone.ABI_VERSION) end

function commands.layout(words)
    local texts = {}
    for index = 2, #words do texts[#texts + 1] = layout(words[index]) end
    return table.concat(texts, "\n")
end

function commands.create(words)
    net = backbone.ResNet {
        depth = tonumber(words[2]),
        in_channels = tonumber(words[3]),
        base_channels = tonumber(words[4]),
        out_stages = tonumber(words[5]),
        frozen_stages = tonumber(words[6]),
        norm_eval = words[7] == "1",
        zero_init_residual = words[8] == "1",
        threads = tonumber(words[9]),
        channel_order = tonumber(words[10]),
        arithmetic = tonumber(words[11]),
        style = tonumber(words[12]),
        norm_eps = tonumber(words[13]),
        mean = numbers(words[14]),
        std_dev = numbers(words[15]),
    }
    return "created"
end

function commands.named(words)
    net = backbone.ResNet {
        architecture = optional(words[2]),
        depth = tonumber(optional(words[3])),
        base_channels = 4,
        threads = 2,
    }
    return "created"
end

function commands.build(words)
    net = backbone.ResNet(given(words, 2))
    return "created"
end

function commands.architectures() return "architectures " .. table.concat(backbone.architectures(), " ") end

function commands.from_file(words)
    local report
    net, report = backbone.from_file(words[2], given(words, 10), load_options(words))
    return "created report " .. report
end

function commands.options()
    local o = net:options()
    return table.concat({
        "options", o.depth, o.in_channels, o.base_channels, o.out_stages, o.frozen_stages, o.norm_eval and 1 or 0,
        o.zero_init_residual and 1 or 0, o.threads, o.channel_order, o.arithmetic, o.style, bits {o.norm_eps},
        bits(o.mean), bits(o.std_dev), o.num_classes, o.output_stride, o.dilated_stages, o.dilation_rule, o.block,
        o.groups, o.width_per_group, o.stem, o.stem_channels, o.stem_pooling, o.shortcut, o.norm, o.attention,
        o.anti_aliasing, o.preactivation, table.concat(o.block_counts, ","),
        o.block_widths and table.concat(o.block_widths, ",") or "-", o.architecture,
    }, " ")
end

function commands.init(words)
    net:init_weights(tonumber(words[2]))
    return "ok"
end

function commands.load(words) return "ok report " .. net:load_weights(words[2], load_options(words)) end

function commands.save(words)
    net:save_weights(words[2])
    return "ok"
end

function commands.freeze(words)
    net:freeze(tonumber(words[2]))
    return "ok"
end

function commands.training(words)
    net:set_training(words[2] == "1")
    return "training " .. (net:training() and 1 or 0)
end

function commands.shapes(words)
    local texts = {"shapes"}
    for _, shape in ipairs(net:output_shapes(shape_of(words, 2))) do
        for _, size in ipairs(shape) do texts[#texts + 1] = ("%d"):format(size) end
    end
    return table.concat(texts, " ")
end

function commands.forward(words)
    local buffers = {}
    for index, feature in ipairs(net:forward(image_of(words))) do buffers[index] = feature.data end
    write(words[9], buffers)
    return "ok"
end

function commands.forward_into(words)
    write(words[9], forward_into(words, 0, 7))
    return "ok"
end

function commands.forward_short(words) forward_into(words, 1, 7) end
function commands.forward_fewer(words) forward_into(words, 0, 1) end

-- Another thread with a Lua state of its own, which cancels until it is told to stop.
local canceller = [[
    local ffi, backbone = require("ffi"), require("backbone")
    ffi.cdef "int usleep(unsigned);"
    local going = ffi.cast("int *", %d)
    run = ffi.cast("void *(*)(void *)", function()
        while going[0] == 1 do
            backbone.cancel(%d)
            ffi.C.usleep(1000)
        end
        return nil
    end)
    return tonumber(ffi.cast("uintptr_t", run))
]]
ffi.cdef [[
typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *state);
int luaL_loadstring(lua_State *state, const char *text);
int lua_pcall(lua_State *state, int arguments, int results, int handler);
double lua_tonumber(lua_State *state, int index);
int pthread_create(unsigned long *thread, const void *attributes, void *(*run)(void *), void *argument);
int pthread_join(unsigned long thread, void **result);
]]

function commands.cancel(words)
    local C, state, thread = ffi.C, ffi.C.luaL_newstate(), ffi.new("unsigned long[1]")
    local going = ffi.new("int[1]", 1)
    local text = canceller:format(tonumber(ffi.cast("uintptr_t", going)), net:address())
    C.luaL_openlibs(state)
    assert(C.luaL_loadstring(state, text) == 0 and C.lua_pcall(state, 0, 1, 0) == 0)
    local run = ffi.cast("void *(*)(void *)", ffi.cast("uintptr_t", C.lua_tonumber(state, -1)))
    assert(C.pthread_create(thread, nil, run, nil) == 0)
    local good, failure = pcall(net.forward, net, image_of(words))
    going[0] = 0
    C.pthread_join(thread[0], nil)
    return good and "not cancelled" or error(failure, 0)
end

-- Networks that are lost with their first forward pass.
function commands.churn(words)
    for _ = 1, tonumber(words[2]) do
        local image = backbone.float32(ffi.new("float[?]", 3 * 8 * 8), {1, 3, 8, 8})
        backbone.ResNet({depth = 18, base_channels = 4}):forward(image)
        collectgarbage()
    end
    return "churned " .. words[2]
end

-- ---- Training ------------------------------------------------------------------------------------------------------

local tape, optimizer, input_shape, features, loss_gradient, gradients

local function bits_of(value)
    return (tostring(ffi.cast("uint64_t *", ffi.new("double[1]", value))[0]):gsub("ULL$", ""))
end

local function split(text, separator)
    local parts = {}
    for part in text:gmatch("[^" .. separator .. "]+") do parts[#parts + 1] = part end
    return parts
end

function commands.trainable(words)
    net:set_trainable(tonumber(words[2]))
    return ("trainable %d"):format(net:trainable_count())
end

function commands.slot(words) return ("slot %d %d"):format(net:trainable_slot(tonumber(words[2]))) end

function commands.tape(words)
    tape = net:new_tape {input_gradient = words[2] == "1", retain = words[3] == "1"}
    return "ok"
end

function commands.forward_train(words)
    features = net:forward_train(tape, image_of(words))
    input_shape = shape_of(words, 4)
    local buffers = {}
    for index, feature in ipairs(features) do buffers[index] = feature.data end
    write(words[9], buffers)
    return "ok"
end

function commands.bytes() return ("bytes %d"):format(net:tape_bytes(tape)) end

function commands.loss(words)
    local loss, labels = nil, {}
    for index, label in ipairs(split(words[2], ",")) do labels[index] = tonumber(label) end
    loss, loss_gradient = backbone.cross_entropy(features[#features], labels, tonumber(words[3]))
    return "loss " .. bits_of(loss)
end

local function given_gradients(words)
    local given = {}
    for index, feature in ipairs(features) do given[index] = words[2] == "features" and feature end
    if words[2] == "loss" then given[#given] = loss_gradient end
    return given
end

local function feature_gradients(words, less, most)
    local wanted, buffers = {}, {}
    for index, feature in ipairs(features) do
        if index <= most then wanted[index] = false end
        if index <= most and words[3]:sub(index, index) == "1" then
            local data = ffi.new("float[?]", ffi.sizeof(feature.data) / 4 - less)
            wanted[index] = {data = data, shape = feature.shape}
            buffers[#buffers + 1] = data
        end
    end
    net:feature_gradients(tape, given_gradients(words), wanted)
    write(words[4], buffers)
    return "ok"
end

function commands.feature_gradients(words) return feature_gradients(words, 0, 7) end
function commands.feature_gradients_short(words) return feature_gradients(words, 1, 7) end
function commands.feature_gradients_fewer(words) return feature_gradients(words, 0, 1) end

local function backward(words, with_input)
    local given, buffers, input_gradient = given_gradients(words), {}, nil
    if words[3] == "0" then gradients = ffi.new("float[?]", net:trainable_count()) end
    if with_input then
        local s = input_shape
        input_gradient = {data = ffi.new("float[?]", s[1] * s[2] * s[3] * s[4]), shape = s}
        buffers[1] = input_gradient.data
    end
    net:backward(tape, given, {
        gradients = gradients,
        input_gradient = input_gradient,
        accumulate = words[3] == "1",
    })
    buffers[#buffers + 1] = gradients
    write(words[4], buffers)
    return "ok"
end

function commands.backward(words) return backward(words, false) end
function commands.backward_input(words) return backward(words, true) end

function commands.clip(words)
    local max_norm = words[2] == "inf" and math.huge or tonumber(words[2])
    return "norm " .. bits_of(net:clip_gradients(gradients, max_norm))
end

function commands.optimizer(words)
    local options = {kind = tonumber(words[2]), nesterov = words[3] == "1", groups = {}}
    for index, name in ipairs {"momentum", "dampening", "beta1", "beta2", "epsilon", "weight_decay"} do
        options[name] = tonumber(optional(words[3 + index]))
    end
    for index = 10, #words do
        local parts = split(words[index], ":")
        options.groups[#options.groups + 1] = {
            prefix = optional(parts[1]),
            kinds = tonumber(parts[2]),
            learning_rate_factor = tonumber(parts[3]),
            weight_decay = tonumber(parts[4]),
        }
    end
    optimizer = net:new_optimizer(options)
    return "ok"
end

function commands.step(words)
    net:step(optimizer, gradients, tonumber(words[2]), words[3] == "1")
    return "ok"
end

function commands.spoil()
    gradients[0] = math.huge
    return "ok"
end

function commands.follow()
    net:follow(optimizer)
    return "ok"
end

function commands.parameters(words)
    gradients = net:read_trainable()
    net:write_trainable(gradients)
    write(words[2], {gradients})
    return "ok"
end

function commands.save_training(words)
    net:save_training(optimizer, words[2], tonumber(words[3]))
    return "ok"
end

function commands.load_training(words) return "ok report " .. net:load_training(optimizer, words[2]) end

function commands.save_as(words)
    net:save_weights_with(words[2], words[3])
    return "ok"
end

function commands.free(words)
    if words[2] == "tape" then tape:close() else optimizer:close() end
    return "ok"
end

-- Tapes and optimisers that are lost with their first use.
function commands.churn_training(words)
    for _ = 1, tonumber(words[2]) do
        local lost = backbone.ResNet {depth = 18, base_channels = 4}
        local image = backbone.float32(ffi.new("float[?]", 3 * 32 * 32), {1, 3, 32, 32})
        lost:forward_train(lost:new_tape(), image)
        lost:step(lost:new_optimizer(), ffi.new("float[?]", lost:trainable_count()), 0)
        collectgarbage()
    end
    return "churned " .. words[2]
end

function commands.close()
    net:close()
    return "closed"
end

-- Not io.lines, which ends a line at a zero byte.
for line in io.read("*a"):gmatch("[^\n]+") do
    local words = {}
    for word in line:gmatch("[^ ]+") do words[#words + 1] = word end
    local good, text = pcall(commands[words[1]], words)
    if not good and type(text) == "string" then error(text) end -- a fault of this program
    if not good then
        text = ("error %d %s%s"):format(text.status, text.message, text.report and " report " .. text.report or "")
    end
    print(text)
    io.flush()
end
