// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Testing

/// A ResNet in Double with plain loops, written from the papers and PyTorch's documentation: nothing here comes from the
/// library but the values of the state dict.
struct NaiveNetwork {
    let depth: Int
    let net: Net

    /// NCHW, one image.
    struct Image {
        var channels: Int
        var height: Int
        var width: Int
        var values: [Double]

        init(_ channels: Int, _ height: Int, _ width: Int) {
            (self.channels, self.height, self.width) = (channels, height, width)
            values = [Double](repeating: 0, count: channels * height * width)
        }

        subscript(c: Int, y: Int, x: Int) -> Double {
            get { values[(c * height + y) * width + x] }
            set { values[(c * height + y) * width + x] = newValue }
        }
    }

    /// C2 to C5.
    func features(_ input: Image) throws -> [Image] {
        let stages = [
            18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3],
        ]
        var x = maxPool(relu(try norm(try convolution(input, "conv1", size: 7, stride: 2, padding: 3), "bn1")))
        var result: [Image] = []
        for (stage, blocks) in try #require(stages[depth]).enumerated() {
            for block in 0..<blocks {
                x = try self.block(x, "layer\(stage + 1).\(block).", stride: block == 0 && stage > 0 ? 2 : 1)
            }
            result.append(x)
        }
        return result
    }

    private func block(_ x: Image, _ name: String, stride: Int) throws -> Image {
        var y: Image
        if depth < 50 {
            y = relu(try norm(try convolution(x, name + "conv1", size: 3, stride: stride, padding: 1), name + "bn1"))
            y = try norm(try convolution(y, name + "conv2", size: 3, stride: 1, padding: 1), name + "bn2")
        } else {
            y = relu(try norm(try convolution(x, name + "conv1", size: 1, stride: 1, padding: 0), name + "bn1"))
            y = relu(try norm(try convolution(y, name + "conv2", size: 3, stride: stride, padding: 1), name + "bn2"))
            y = try norm(try convolution(y, name + "conv3", size: 1, stride: 1, padding: 0), name + "bn3")
        }
        var shortcut = x
        if stride != 1 || x.channels != y.channels {
            shortcut = try convolution(x, name + "downsample.0", size: 1, stride: stride, padding: 0)
            shortcut = try norm(shortcut, name + "downsample.1")
        }
        for index in y.values.indices { y.values[index] += shortcut.values[index] }
        return relu(y)
    }

    private func convolution(_ x: Image, _ name: String, size: Int, stride: Int, padding: Int) throws -> Image {
        let weights = try net.read(name + ".weight")
        let outputs = weights.count / (x.channels * size * size)
        var out = Image(
            outputs, (x.height + 2 * padding - size) / stride + 1, (x.width + 2 * padding - size) / stride + 1)
        for o in 0..<outputs {
            for y in 0..<out.height {
                for z in 0..<out.width {
                    var sum = 0.0
                    for i in 0..<x.channels {
                        for ky in 0..<size {
                            let row = y * stride + ky - padding
                            if row < 0 || row >= x.height { continue }
                            for kx in 0..<size {
                                let column = z * stride + kx - padding
                                if column < 0 || column >= x.width { continue }
                                sum +=
                                    Double(weights[((o * x.channels + i) * size + ky) * size + kx]) * x[i, row, column]
                            }
                        }
                    }
                    out[o, y, z] = sum
                }
            }
        }
        return out
    }

    private func norm(_ x: Image, _ name: String) throws -> Image {
        let (weight, bias) = (try net.read(name + ".weight"), try net.read(name + ".bias"))
        let (mean, variance) = (try net.read(name + ".running_mean"), try net.read(name + ".running_var"))
        var out = x
        let pixels = x.height * x.width
        for index in out.values.indices {
            let c = index / pixels
            let normal = (out.values[index] - Double(mean[c])) / (Double(variance[c]) + 1e-5).squareRoot()
            out.values[index] = normal * Double(weight[c]) + Double(bias[c])
        }
        return out
    }

    private func relu(_ x: Image) -> Image {
        var out = x
        for index in out.values.indices { out.values[index] = max(out.values[index], 0) }
        return out
    }

    private func maxPool(_ x: Image) -> Image {
        var out = Image(x.channels, (x.height - 1) / 2 + 1, (x.width - 1) / 2 + 1)
        for c in 0..<x.channels {
            for y in 0..<out.height {
                for z in 0..<out.width {
                    var largest = -Double.infinity
                    for row in max(2 * y - 1, 0)...min(2 * y + 1, x.height - 1) {
                        for column in max(2 * z - 1, 0)...min(2 * z + 1, x.width - 1) {
                            largest = max(largest, x[c, row, column])
                        }
                    }
                    out[c, y, z] = largest
                }
            }
        }
        return out
    }
}
