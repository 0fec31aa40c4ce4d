-- SPDX-License-Identifier: Apache-2.0
-- Copyright 2026 The libbackbone authors

-- Prints the features of an image: 224 x 224 pixels of RGB, as bytes in a file. With backbone.lua beside this file:
--
--     BACKBONE_LIBRARY=/path/to/libbackbone.so luajit example.lua resnet50.pth image.rgb

local backbone = require("backbone")

local options = {mean = backbone.IMAGENET_MEAN, std_dev = backbone.IMAGENET_STD_DEV}
-- The depth is the file's; the report says what was found in it.
local net, report = backbone.from_file(arg[1], options)

local file = assert(io.open(arg[2], "rb"))
local pixels = file:read("*a") -- NHWC in memory; shapes are N, C, H, W all the same
file:close()
for stage, feature in ipairs(net:forward(backbone.uint8(pixels, {1, 3, 224, 224}))) do
    local n, c, h, w = unpack(feature.shape)
    local sum = 0
    for index = 0, n * c * h * w - 1 do sum = sum + feature.data[index] end
    print(("C%d [%d, %d, %d, %d] mean %.6f"):format(stage + 1, n, c, h, w, sum / (n * c * h * w)))
end
net:close() -- or leave it to the collector
