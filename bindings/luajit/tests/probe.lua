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
    }
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
        "reserved", "normalization", "reserved2",
    },
    backbone_load_options = {
        "struct_size", "strict", "key", "prefix", "input_channels", "channel_map_length", "channel_map",
        "allow_missing", "ignore_modules", "max_stream_bytes",
    },
    backbone_tensor = {"data", "dtype", "reserved", "shape", "strides"},
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

function commands.from_file(words)
    local report
    net, report = backbone.from_file(words[2], nil, load_options(words))
    return "created report " .. report
end

function commands.options()
    local o = net:options()
    return table.concat({
        "options", o.depth, o.in_channels, o.base_channels, o.out_stages, o.frozen_stages, o.norm_eval and 1 or 0,
        o.zero_init_residual and 1 or 0, o.threads, o.channel_order, o.arithmetic, o.style, bits {o.norm_eps},
        bits(o.mean), bits(o.std_dev),
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
    write(words[9], forward_into(words, 0, 4))
    return "ok"
end

function commands.forward_short(words) forward_into(words, 1, 4) end
function commands.forward_fewer(words) forward_into(words, 0, 1) end

-- Networks that are lost with their first forward.
function commands.churn(words)
    for _ = 1, tonumber(words[2]) do
        local image = backbone.float32(ffi.new("float[?]", 3 * 8 * 8), {1, 3, 8, 8})
        backbone.ResNet({depth = 18, base_channels = 4}):forward(image)
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
