// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone

/// A network through the C interface, with an image and memory for its features.
final class BenchNetwork {
    let net: OpaquePointer
    let outputCount: Int
    private let image: [Float]
    private let inputShape: [Int64]
    private let features: [UnsafeMutablePointer<Float>]
    private let shapes: [[Int64]]

    init(_ options: Options) throws {
        var settings = backbone_options()
        try check(backbone_options_init(&settings, MemoryLayout<backbone_options>.size))
        settings.depth = 0
        settings.threads = options.threads
        settings.arithmetic = Int32(options.isDirect ? BACKBONE_ARITHMETIC_DIRECT : BACKBONE_ARITHMETIC_FAST)
        settings.norm_eval = options.normEval ? 1 : 0
        settings.frozen_stages = options.frozenStages
        var handle: OpaquePointer?
        try options.architecture.withCString { name in
            settings.architecture = name
            try check(backbone_create(&settings, &handle))
        }
        guard let handle else { throw BenchError(message: "no handle") }
        net = handle
        inputShape = [Int64(options.batch), 3, Int64(options.height), Int64(options.width)]
        // CIFAR-10's networks have three stages.
        try check(backbone_get_options(net, &settings))
        outputCount = settings.out_stages.nonzeroBitCount
        var rows = [Int64](repeating: 0, count: 4 * outputCount)
        try check(backbone_output_shapes(net, inputShape, &rows, outputCount))
        shapes = (0..<outputCount).map { Array(rows[4 * $0..<4 * $0 + 4]) }
        features = shapes.map { .allocate(capacity: Int($0.reduce(1, *))) }
        var random = BenchRandom(seed: 1)
        image = (0..<Int(inputShape.reduce(1, *))).map { _ in random.next() }
        if let weights = options.weights { try check(backbone_load_weights(net, weights, 0, nil)) }
    }

    deinit {
        backbone_free(net)
        features.forEach { $0.deallocate() }
    }

    func forward() throws {
        try withTensors { input, outputs in try check(backbone_forward(net, input, outputs, outputCount)) }
    }

    func profile() throws -> [backbone_layer] {
        var count = 0
        try withTensors { input, outputs in
            try check(backbone_profile(net, input, outputs, outputCount, nil, 0, &count))
        }
        var layers = [backbone_layer](repeating: backbone_layer(), count: count)
        try withTensors { input, outputs in
            try check(backbone_profile(net, input, outputs, outputCount, &layers, layers.count, &count))
        }
        return layers
    }

    func withTensors(
        _ body: (UnsafePointer<backbone_tensor>, UnsafePointer<backbone_tensor>) throws -> Void
    ) throws {
        try image.withUnsafeBufferPointer { image in
            var input = tensor(UnsafeMutableRawPointer(mutating: image.baseAddress), inputShape)
            var outputs = zip(features, shapes).map { tensor(UnsafeMutableRawPointer($0), $1) }
            try body(&input, &outputs)
        }
    }

    private func tensor(_ data: UnsafeMutableRawPointer?, _ shape: [Int64]) -> backbone_tensor {
        var tensor = backbone_tensor()
        tensor.data = data
        tensor.shape = (shape[0], shape[1], shape[2], shape[3])
        tensor.strides = (shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1)
        return tensor
    }
}

func check(_ status: backbone_status) throws {
    guard status != BACKBONE_STATUS_OK else { return }
    throw BenchError(message: String(cString: backbone_last_error_message()))
}
