// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Kernels

/// Times every kernel that can compute a network's convolutions, shape by shape, with nothing else between them; each is
/// first compared with a loop in Double.
func measureKernels(_ options: Options) throws {
    let network = try BenchNetwork(options)
    let threads = options.threadCount
    let columns = [
        (-26, "first layer of the shape"), (6, "layers"), (30, "convolution"), (-34, "kernel"), (9, "nonzero"),
        (9, "ms"), (9, "GFLOP/s"), (9, "of limit"), (8, "error"),
    ]
    let peak = try multiplicationPeak(threads: threads)
    print("The limit is \(tenths(peak)) GFLOP/s of \(threads) threads; GFLOP/s are those of the definition.")
    print(row(columns.map(\.1), columns))
    let table = try KernelTable.best().convolutions
    for (shape, layers) in try network.convolutions() {
        for variant in variants(shape, table, options) {
            let job = try ConvolutionJob(
                shape, images: options.batch, kernel: variant.kernel, nonzero: variant.nonzero, threads: threads)
            _ = job.run()
            let error = job.error()
            guard error < 1e-3 else {
                throw BenchError(
                    message: "\(layers[0]): \(variant.kernel.name) differs from the definition by \(error)")
            }
            let time = median((0..<options.runs).map { _ in job.run() })
            let pixels = options.batch * shape.outputHeight * shape.outputWidth
            let operations = 2 * Double(pixels) * Double(shape.weightCount)
            let limit = operations * variant.share / peak
            print(
                row(
                    [
                        layers[0], String(layers.count), describe(shape), "\(variant.kernel.name)",
                        "\(variant.nonzero) %", milliseconds(time), tenths(operations / Double(time)),
                        "\(Int((100 * limit / Double(time)).rounded())) %", scientific(error),
                    ], columns))
        }
    }
}

/// A way to compute a shape.
private struct Variant {
    let kernel: ConvolutionKernel
    let nonzero: Int
    /// The multiplications that it needs, as a share of those of the definition.
    let share: Double
}

/// Zeros are skipped by the direct kernel alone.
private func variants(_ shape: ConvolutionShape, _ table: ConvolutionKernels, _ options: Options) -> [Variant] {
    let direct = table[.direct, shape]
    var variants = [Variant(kernel: direct, nonzero: 100, share: 1)]
    if shape.groups == 1 && shape.inputChannels > 3 && options.nonzero < 100 {
        variants.append(Variant(kernel: direct, nonzero: options.nonzero, share: Double(options.nonzero) / 100))
    }
    guard shape.groups == 1 && shape.kernelSize == 3 && shape.dilation == 1 else { return variants }
    for algorithm in [ConvolutionAlgorithm.winograd2, .winograd4, .winograd6] where table.have(algorithm, for: shape) {
        // Points of a tile for each of its pixels; at stride 2 a window is cut into parts of 2 and of 1 taps.
        let tile = Double(algorithm.tileSize)
        let points = shape.stride == 1 ? tile + 2 : (tile + 1) + tile
        let share = points * points / (9 * tile * tile)
        variants.append(Variant(kernel: table[algorithm, shape], nonzero: 100, share: share))
    }
    return variants
}

private func describe(_ shape: ConvolutionShape) -> String {
    let groups = shape.groups > 1 ? ", \(shape.groups) groups" : ""
    let stride = shape.stride > 1 ? "/\(shape.stride)" : ""
    return "\(shape.inputChannels)->\(shape.outputChannels) \(shape.kernelSize)x\(shape.kernelSize)\(stride) "
        + "on \(shape.inputHeight)x\(shape.inputWidth)\(groups)"
}

/// "1.3e-06" of a number between 0 and 1.
private func scientific(_ value: Double) -> String {
    guard value > 0 else { return "0" }
    var (mantissa, exponent) = (value, 0)
    while mantissa < 1 {
        mantissa *= 10
        exponent -= 1
    }
    return "\(tenths(mantissa))e\(exponent)"
}

extension BenchNetwork {
    /// The shapes of the network's convolutions, each with the names of its layers, in the order of their first ones.
    fileprivate func convolutions() throws -> [(ConvolutionShape, [String])] {
        var shapes: [(ConvolutionShape, [String])] = []
        for layer in try profile() where String(cString: layer.kernel).hasPrefix("convolution") {
            let name = name(layer)
            let shape = try shape(of: layer, weights: name + ".weight")
            if let index = shapes.firstIndex(where: { $0.0 == shape }) {
                shapes[index].1.append(name)
            } else {
                shapes.append((shape, [name]))
            }
        }
        return shapes
    }

    /// Shape from the sizes of input, output and weights; padding as in ResNets, where a window's middle is a pixel.
    private func shape(of layer: backbone_layer, weights: String) throws -> ConvolutionShape {
        var (index, entry) = (0, backbone_entry_info())
        try check(backbone_find_entry(net, weights, &index))
        try check(backbone_get_entry_info(net, index, &entry))
        let size = Int(entry.shape.2)
        let (input, output) = (layer.input_shape, layer.output_shape)
        let stride = Int((input.2 + output.2 - 1) / output.2)
        return ConvolutionShape(
            inputChannels: Int(input.1), outputChannels: Int(output.1), kernelSize: size, stride: stride,
            padding: size / 2, groups: Int(input.1 / entry.shape.1), inputHeight: Int(input.2),
            inputWidth: Int(input.3))
    }
}
