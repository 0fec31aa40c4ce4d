// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Prints the features of an image: 224 x 224 pixels of RGB, as bytes in a file. With backbone.js, backbone_node.c and
// backbone.h beside this file:
//
//     cc -std=c99 -O2 -shared -fPIC -I/usr/include/node backbone_node.c -o backbone.node
//     BACKBONE_LIBRARY=/path/to/libbackbone.so node example.js resnet50.pth image.rgb

const fs = require('fs');
const backbone = require('./backbone.js');

const [weights, image] = process.argv.slice(2);
// The depth is the file's; net.report says what was found in it.
const net = backbone.ResNet.fromFile(weights, { mean: backbone.IMAGENET_MEAN, stdDev: backbone.IMAGENET_STD_DEV });

const pixels = fs.readFileSync(image); // NHWC in memory; shapes are N, C, H, W all the same
net.forwardAsync(backbone.uint8(pixels, [1, 3, 224, 224])).then((features) => {
  features.forEach(({ data, shape }, index) => {
    const sum = data.reduce((total, value) => total + value, 0);
    console.log(`C${index + 2} [${shape.join(', ')}] mean ${(sum / data.length).toFixed(6)}`);
  });
  net.close();
});
