// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Prints the features of an image: 224 x 224 pixels of RGB, as bytes in a file. With Backbone.java beside this file:
//
//     javac -cp /usr/share/java/jna.jar Backbone.java Example.java
//     BACKBONE_LIBRARY=/path/to/libbackbone.so java -cp /usr/share/java/jna.jar:. Example resnet50.pth image.rgb

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

public class Example {
    public static void main(String[] arguments) throws Exception {
        Backbone.Options options = new Backbone.Options();
        options.mean = Backbone.imagenetMean();
        options.stdDev = Backbone.imagenetStdDev();
        // The depth is the file's; net.report() says what was found in it.
        try (var net = Backbone.ResNet.fromFile(Path.of(arguments[0]), options, null)) {
            byte[] pixels = Files.readAllBytes(Path.of(arguments[1])); // NHWC in memory; shapes are N, C, H, W
            int stage = 2;
            for (Backbone.Feature feature : net.forward(Backbone.uint8(pixels, 1, 3, 224, 224))) {
                double sum = 0;
                for (float value : feature.data()) sum += value;
                double mean = sum / feature.data().length;
                System.out.printf("C%d %s mean %.6f%n", stage++, Arrays.toString(feature.shape()), mean);
            }
        }
    }
}
