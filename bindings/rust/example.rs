// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Prints the features of an image: 224 x 224 pixels of RGB, as bytes in a file. With backbone.rs beside this file:
//
//     rustc --edition 2021 -O example.rs
//     BACKBONE_LIBRARY=/path/to/libbackbone.so ./example resnet50.pth image.rgb

mod backbone;

use backbone::{Image, LoadOptions, Options, ResNet, IMAGENET_MEAN, IMAGENET_STD_DEV};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let mut options = Options::new()?;
    options.mean = IMAGENET_MEAN.to_vec();
    options.std_dev = IMAGENET_STD_DEV.to_vec();
    // The depth is the file's; the report says what was found in it. The network is freed at the end of its scope.
    let (net, _report) = ResNet::from_file(&arguments[1], &options, &LoadOptions::default())?;

    let pixels = std::fs::read(&arguments[2])?; // NHWC in memory; shapes are (N, C, H, W) all the same
    let features = net.forward(Image::uint8(&pixels, [1, 3, 224, 224]))?;
    for (index, feature) in features.iter().enumerate() {
        let sum: f64 = feature.data.iter().map(|&value| f64::from(value)).sum();
        println!("C{} {:?} mean {:.6}", index + 2, feature.shape, sum / feature.data.len() as f64);
    }
    Ok(())
}
