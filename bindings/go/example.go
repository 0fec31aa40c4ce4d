// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Prints the features of an image: 224 x 224 pixels of RGB, as bytes in a file. With backbone.go and backbone.h in a
// folder named backbone beside this file:
//
//	go mod init example
//	go build -o example .
//	BACKBONE_LIBRARY=/path/to/libbackbone.so ./example resnet50.pth image.rgb
package main

import (
	"fmt"
	"log"
	"os"

	"example/backbone"
)

func main() {
	options, err := backbone.NewOptions()
	check(err)
	options.Mean, options.StdDev = backbone.ImageNetMean, backbone.ImageNetStdDev
	// The depth is the file's; the report says what was found in it.
	net, _, err := backbone.FromFile(os.Args[1], options, nil)
	check(err)
	defer net.Close() // or leave it to the collector

	pixels, err := os.ReadFile(os.Args[2]) // NHWC in memory; shapes are N, C, H, W all the same
	check(err)
	features, err := net.Forward(backbone.Uint8(pixels, [4]int64{1, 3, 224, 224}))
	check(err)
	for i, feature := range features {
		sum := 0.0
		for _, value := range feature.Data {
			sum += float64(value)
		}
		fmt.Printf("C%d %v mean %.6f\n", i+2, feature.Shape, sum/float64(len(feature.Data)))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
