// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct SpreadingTests {
    @Test(arguments: [(1, 3, 4, 5, 0), (2, 3, 4, 16, 1), (2, 1, 1, 3, 2), (3, 5, 2, 8, 3)])
    func pixelsAreApartAndTheRestIsZero(stride: Int, height: Int, width: Int, channels: Int, border: Int) throws {
        let image = TestImage(height: height, width: width, channels: channels, seed: 5)
        let input = image.activation(border: 1)
        for order in BlockOrder.all {
            // A row and a column more than the pixels need: those of an input of even size.
            let output = TestActivation(
                height: (height - 1) * stride + 2, width: (width - 1) * stride + 2, channels: channels, border: border)
            let task = SpreadingTask(stride: stride, input: input.activation, output: output.activation)
            try compute(Spreading.kernel, task, order: order)
            for row in -border..<output.activation.height + border {
                for column in -border..<output.activation.width + border {
                    let pixel = output.activation.pixel(row: row, column: column)
                    let isPixel =
                        row >= 0 && column >= 0 && row % stride == 0 && column % stride == 0
                        && row / stride < height && column / stride < width
                    for channel in 0..<channels {
                        let expected = isPixel ? Float(image.value(row / stride, column / stride, channel)) : 0
                        #expect(pixel[channel] == expected, "row \(row), column \(column)")
                    }
                }
            }
        }
    }
}
