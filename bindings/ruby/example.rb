# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

# Prints the features of an image: 224 x 224 pixels of RGB, as bytes in a file. With backbone.rb beside this file:
#
#     BACKBONE_LIBRARY=/path/to/libbackbone.so ruby -I . example.rb resnet50.pth image.rgb

require "backbone"

# The depth is the file's; the report says what was found in it.
net, _report = Backbone::ResNet.from_file(
  ARGV[0], mean: Backbone::IMAGENET_MEAN, std_dev: Backbone::IMAGENET_STD_DEV
)

pixels = File.binread(ARGV[1]) # NHWC in memory; shapes are N, C, H, W all the same
net.forward(Backbone.uint8(pixels, [1, 3, 224, 224])).each_with_index do |feature, index|
  values = feature.to_a
  puts format("C%d %s mean %.6f", index + 2, feature.shape, values.sum / values.size)
end
net.close # or leave it to the collector
