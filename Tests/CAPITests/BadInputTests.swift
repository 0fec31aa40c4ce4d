// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Testing

private let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)

/// Every bad argument is a status with a message that names it, and changes nothing.
struct BadInputTests {
    @Test func nullHandles() {
        var options = defaultOptions()
        var flag: Int32 = 0
        var size = 0
        var info = backbone_entry_info()
        var shapes = [Int64](repeating: 0, count: 16)
        var tensor = backbone_tensor()
        var byte: UInt8 = 0
        expectFailure(backbone_create(nil, nil), invalid, "out is NULL")
        backbone_free(nil)
        expectFailure(backbone_get_options(nil, &options), invalid, "net is NULL")
        expectFailure(backbone_init_weights(nil, 1), invalid, "net is NULL")
        expectFailure(backbone_freeze(nil, 0), invalid, "net is NULL")
        expectFailure(backbone_set_training(nil, 0), invalid, "net is NULL")
        expectFailure(backbone_get_training(nil, &flag), invalid, "net is NULL")
        expectFailure(backbone_entry_count(nil, &size), invalid, "net is NULL")
        expectFailure(backbone_get_entry_info(nil, 0, &info), invalid, "net is NULL")
        expectFailure(backbone_find_entry(nil, "conv1.weight", &size), invalid, "net is NULL")
        expectFailure(backbone_read_entry(nil, 0, &byte, 1), invalid, "net is NULL")
        expectFailure(backbone_write_entry(nil, 0, &byte, 1), invalid, "net is NULL")
        expectFailure(backbone_output_shapes(nil, [1, 3, 8, 8], &shapes, 4), invalid, "net is NULL")
        expectFailure(backbone_forward(nil, &tensor, &tensor, 4), invalid, "net is NULL")
        expectFailure(backbone_options_init(nil, 56), invalid, "options is NULL")
    }

    @Test func nullArguments() throws {
        let net = try Net()
        var tensor = backbone_tensor(nil, shape: [1, 3, 8, 8], strides: [192, 64, 8, 1])
        var size = 0
        var shapes = [Int64](repeating: 0, count: 16)
        expectFailure(backbone_get_options(net.handle, nil), invalid, "out is NULL")
        expectFailure(backbone_get_training(net.handle, nil), invalid, "out is NULL")
        expectFailure(backbone_entry_count(net.handle, nil), invalid, "out is NULL")
        expectFailure(backbone_get_entry_info(net.handle, 0, nil), invalid, "out is NULL")
        expectFailure(backbone_find_entry(net.handle, nil, &size), invalid, "name is NULL")
        expectFailure(backbone_find_entry(net.handle, "bn1.weight", nil), invalid, "out is NULL")
        expectFailure(backbone_read_entry(net.handle, 1, nil, 16), invalid, "out is NULL")
        expectFailure(backbone_write_entry(net.handle, 1, nil, 16), invalid, "data is NULL")
        expectFailure(backbone_output_shapes(net.handle, nil, &shapes, 4), invalid, "input_shape is NULL")
        expectFailure(backbone_output_shapes(net.handle, [1, 3, 8, 8], nil, 4), invalid, "out is NULL")
        expectFailure(backbone_forward(net.handle, nil, &tensor, 4), invalid, "input is NULL")
        expectFailure(backbone_forward(net.handle, &tensor, nil, 4), invalid, "outputs is NULL")
    }

    @Test func structSize() throws {
        var options = defaultOptions()
        let own = Int(options.struct_size)
        #expect(own == MemoryLayout<backbone_options>.size)
        for size in [0, 1, 4, 55, 60, 81, 84, 87, 4097, Int(Int32.max), -1, Int.max, Int.min] {
            expectFailure(backbone_options_init(&options, size), invalid, "struct_size", "\(size)", "\(own)")
        }
        var created: OpaquePointer? = OpaquePointer(bitPattern: 1)
        for size in [0, 1, 55, 60, 81, 84, 87, 4097, UInt32.max] {
            options.struct_size = size
            expectFailure(backbone_create(&options, &created), invalid, "struct_size", "\(size)")
            #expect(created == nil)
        }
        // That of the first version ends before `arithmetic`, and the memory after it is not read.
        options.struct_size = 56
        options.arithmetic = 77
        try check(backbone_create(&options, &created))
        var own56 = defaultOptions()
        try check(backbone_get_options(created, &own56))
        #expect(own56.arithmetic == BACKBONE_ARITHMETIC_FAST)
        backbone_free(created)
        // So does that of the second before `normalization`.
        options = defaultOptions()
        (options.struct_size, options.depth, options.normalization, options.reserved2) = (72, 18, 77, 78)
        try check(backbone_create(&options, &created))
        try check(backbone_get_options(created, &own56))
        #expect(own56.normalization == BACKBONE_NORMALIZE_UINT8)
        backbone_free(created)
        // And that of the third before `num_classes`.
        options = defaultOptions()
        (options.struct_size, options.depth, options.num_classes, options.block) = (88, 18, -77, 78)
        try check(backbone_create(&options, &created))
        own56 = defaultOptions()
        try check(backbone_get_options(created, &own56))
        #expect(own56.depth == 18 && own56.num_classes == 1000 && own56.block == 0)
        backbone_free(created)
        // A newer, larger struct is taken if what this library does not know is zero.
        var bytes = [UInt8](repeating: 0, count: own + 24)
        try bytes.withUnsafeMutableBytes { bytes in
            let larger = try #require(bytes.baseAddress).assumingMemoryBound(to: backbone_options.self)
            try check(backbone_options_init(larger, own + 24))
            #expect(larger.pointee.struct_size == UInt32(own + 24))
            larger.pointee.depth = 18
            try check(backbone_create(larger, &created))
            backbone_free(created)
            bytes[own + 5] = 1
            expectFailure(backbone_create(larger, &created), invalid, "byte \(own + 5) is set")
        }
    }

    @Test func optionValues() throws {
        func expectRefused(_ culprit: String, _ value: String, _ change: (inout backbone_options) -> Void) {
            var options = defaultOptions()
            change(&options)
            var created: OpaquePointer?
            expectFailure(backbone_create(&options, &created), invalid, culprit, value)
            #expect(created == nil)
        }
        for depth in [20, 0, -18, 17, 153, Int32.max, Int32.min] {
            expectRefused("depth", "\(depth)") { $0.depth = depth }
        }
        for count in [0, -1, 4097, Int32.max, Int32.min] {
            expectRefused("in_channels", "\(count)") { $0.in_channels = count }
        }
        for count in [0, -1, 257, Int32.max, Int32.min] {
            expectRefused("base_channels", "\(count)") { $0.base_channels = count }
        }
        for stages in [0, 128, 143, UInt32.max] { expectRefused("out_stages", "\(stages)") { $0.out_stages = stages } }
        for stages in [-2, 5, Int32.max, Int32.min] {
            expectRefused("frozen_stages", "\(stages)") { $0.frozen_stages = stages }
        }
        for flag in [-1, 2, Int32.max] {
            expectRefused("norm_eval", "\(flag)") { $0.norm_eval = flag }
            expectRefused("zero_init_residual", "\(flag)") { $0.zero_init_residual = flag }
            expectRefused("channel_order", "\(flag)") { $0.channel_order = flag }
            expectRefused("arithmetic", "\(flag)") { $0.arithmetic = flag }
            expectRefused("style", "\(flag)") { $0.style = flag }
            expectRefused("options.reserved ", "\(flag)") { $0.reserved = flag }
            expectRefused("normalization", "\(flag), expected 0 (uint8) or 1 (all)") { $0.normalization = flag }
            expectRefused("options.reserved2", "\(flag)") { $0.reserved2 = flag }
        }
        for threads in [-1, 1025, Int32.max, Int32.min] {
            expectRefused("threads", "\(threads)") { $0.threads = threads }
        }
        for value in [Float.nan, .infinity, -.infinity, 0, -1e-5] {
            expectRefused("norm_eps", "above 0") { $0.norm_eps = value }
        }
        for value in [Float.nan, .infinity, -.infinity] {
            let values = [1, value, 1]
            values.withUnsafeBufferPointer { values in
                expectRefused("mean", "[1]") { $0.mean = values.baseAddress }
                expectRefused("std_dev", "[1]") { $0.std_dev = values.baseAddress }
            }
        }
        for value in [0, -1, -0.0] as [Float] {
            let values = [1, 1, value]
            values.withUnsafeBufferPointer { values in
                expectRefused("std_dev", "[2]") { $0.std_dev = values.baseAddress }
            }
        }
    }

    @Test func profileArguments() throws {
        let net = try Net()
        var pixels = [Float](repeating: 1, count: 3 * 8 * 8)
        var input = backbone_tensor(&pixels, shape: [1, 3, 8, 8], strides: [192, 64, 8, 1])
        var shapes = [Int64](repeating: 0, count: 16)
        try check(backbone_output_shapes(net.handle, [1, 3, 8, 8], &shapes, 4))
        var features = [Float](repeating: -3, count: 4096)
        let outputs = features.withUnsafeMutableBufferPointer { features in
            (0..<4).map { stage in
                let shape = Array(shapes[4 * stage..<4 * stage + 4])
                return backbone_tensor(
                    features.baseAddress.map { $0 + 1024 * stage }, shape: shape,
                    strides: [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1])
            }
        }
        var layers = [backbone_layer](repeating: backbone_layer(), count: 100)
        var count = 0
        let (handle, invalid) = (net.handle, invalid)
        expectFailure(backbone_profile(handle, &input, outputs, 4, &layers, 100, nil), invalid, "out_count is NULL")
        expectFailure(backbone_profile(handle, nil, outputs, 4, &layers, 100, &count), invalid, "input is NULL")
        expectFailure(backbone_profile(handle, &input, nil, 4, &layers, 100, &count), invalid, "outputs is NULL")
        expectFailure(backbone_profile(handle, &input, outputs, 3, &layers, 100, &count), invalid, "count is 3")
        // The number alone: nothing is computed.
        try check(backbone_profile(handle, &input, outputs, 4, nil, 0, &count))
        #expect(count == 26)
        #expect(features.allSatisfy { $0 == -3 })
        for capacity in [25, 0, -1, Int.min] {
            let status = backbone_profile(handle, &input, outputs, 4, &layers, capacity, &count)
            expectFailure(status, invalid, "capacity is", "at least 26")
        }
        #expect(features.allSatisfy { $0 == -3 })
        try check(backbone_profile(handle, &input, outputs, 4, &layers, 26, &count))
        #expect(!features.allSatisfy { $0 == -3 })
    }

    /// An empty batch needs no memory, however large its images: what they would have taken may not fit any number.
    @Test(arguments: [18, 50] as [Int32])
    func profilesOfEmptyBatches(depth: Int32) throws {
        let net = try Net(depth: depth, baseChannels: 4)
        var layers = [backbone_layer](repeating: backbone_layer(), count: 100)
        var (described, refused) = (0, 0)
        for exponent in 0...40 {
            let size = Int64(1) << exponent
            for (height, width) in [(size, size), (size, size / 2 + 1), (size, 1), (size, size / 3 + size / 5 + 1)] {
                let shape = [0, 3, height, width]
                var shapes = [Int64](repeating: 0, count: 16)
                try check(backbone_output_shapes(net.handle, shape, &shapes, 4))
                var input = backbone_tensor(nil, shape: shape, strides: [0, 0, 0, 0])
                let outputs = (0..<4).map {
                    backbone_tensor(nil, shape: Array(shapes[4 * $0..<4 * $0 + 4]), strides: [0, 0, 0, 0])
                }
                var count = 0
                let status = backbone_profile(net.handle, &input, outputs, 4, &layers, 100, &count)
                if status == BACKBONE_STATUS_OK {
                    #expect(layers[..<count].allSatisfy { $0.operations == 0 && $0.nanoseconds == 0 && $0.bytes >= 0 })
                    described += 1
                } else {
                    expectFailure(status, invalid, "too large")
                    refused += 1
                }
            }
        }
        #expect(described > 100 && refused > 20, "\(described), \(refused)")
    }

    @Test func inputShapes() throws {
        let net = try Net()
        let before = try net.snapshot()
        var shapes = [Int64](repeating: -7, count: 16)
        let bad: [[Int64]] = [
            [-1, 3, 8, 8], [1, 2, 8, 8], [1, 0, 8, 8], [1, -3, 8, 8], [1, 3, 0, 8], [1, 3, 8, 0], [1, 3, -8, 8],
            [1, 3, 8, .min], [1, 3, .max, .max], [1, 3, 1 << 62, 1], [1, 1 << 62, 1, 1], [.min, .min, .min, .min],
        ]
        for shape in bad {
            expectFailure(backbone_output_shapes(net.handle, shape, &shapes, 4), invalid, "input.shape")
            var tensor = backbone_tensor(&shapes, shape: shape, strides: [0, 0, 0, 0])
            let outputs = [backbone_tensor](repeating: tensor, count: 4)
            expectFailure(backbone_forward(net.handle, &tensor, outputs, 4), invalid, "input.shape")
        }
        #expect(shapes.allSatisfy { $0 == -7 })
        for count in [0, 3, 5, -1, Int.max, Int.min] {
            expectFailure(
                backbone_output_shapes(net.handle, [1, 3, 8, 8], &shapes, count), invalid, "count is \(count)")
            var tensor = backbone_tensor(&shapes, shape: [1, 3, 1, 1], strides: [3, 1, 1, 1])
            expectFailure(backbone_forward(net.handle, &tensor, &tensor, count), invalid, "count is \(count)")
        }
        #expect(try net.snapshot() == before)
    }

    /// A forward pass of a shape that no memory can hold, from strides of zero into missing outputs.
    private func forwardEnormous(_ net: Net, _ shape: [Int64]) throws -> backbone_status {
        var shapes = [Int64](repeating: 0, count: 16)
        try check(backbone_output_shapes(net.handle, shape, &shapes, 4))
        var values = [Float](repeating: 0, count: 1)
        var input = backbone_tensor(&values, shape: shape, strides: [0, 0, 0, 0])
        let outputs = (0..<4).map { stage in
            let output = Array(shapes[4 * stage..<4 * stage + 4])
            return backbone_tensor(&values, shape: output, strides: contiguous(output))
        }
        return backbone_forward(net.handle, &input, outputs, 4)
    }

    @Test(arguments: [[1, 3, 1 << 40, 1 << 40], [1, 3, 1 << 30, 1 << 30], [1, 3, 1, 1 << 40], [1 << 62, 3, 1, 1]])
    func enormousShapes(shape: [Int64]) throws {
        let net = try Net()
        let status = try forwardEnormous(net, shape)
        #expect(status == Int32(BACKBONE_STATUS_OUT_OF_MEMORY) || status == Int32(BACKBONE_STATUS_INVALID_ARGUMENT))
        #expect(!String(cString: backbone_last_error_message()).isEmpty)
        let features = try net.forward(randomNumbers(3 * 64, seed: 1), shape: [1, 3, 8, 8])
        #expect(features.allSatisfy { $0.allSatisfy(\.isFinite) })
    }

    /// A batch that BatchNorms would have to see as a whole.
    @Test func enormousBatchInTraining() throws {
        let net = try Net()
        let before = try net.snapshot()
        try check(backbone_set_training(net.handle, 1))
        #expect(try forwardEnormous(net, [1 << 40, 3, 40, 40]) == Int32(BACKBONE_STATUS_OUT_OF_MEMORY))
        #expect(String(cString: backbone_last_error_message()).contains("allocate"))
        #expect(try net.snapshot() == before)
    }

    @Test func tensors() throws {
        let net = try Net()
        let shape: [Int64] = [1, 3, 64, 64]
        var image = randomNumbers(3 * 64 * 64, seed: 1)
        let shapes = try net.outputShapes(shape)
        var memory = shapes.map { [Float](repeating: -77, count: Int($0.reduce(1, *))) }
        func attempt(
            _ culprits: String..., input: (inout backbone_tensor) -> Void = { _ in },
            outputs: (inout [backbone_tensor]) -> Void = { _ in }, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            let status = image.withUnsafeMutableBytes { image in
                withTensors(&memory, shapes) { tensors in
                    var tensor = backbone_tensor(image.baseAddress, shape: shape, strides: contiguous(shape))
                    var tensors = tensors
                    input(&tensor)
                    outputs(&tensors)
                    return backbone_forward(net.handle, &tensor, tensors, 4)
                }
            }
            #expect(status == Int32(invalid), sourceLocation: sourceLocation)
            let message = String(cString: backbone_last_error_message())
            for culprit in culprits { #expect(message.contains(culprit), "\(message)", sourceLocation: sourceLocation) }
            #expect(memory.allSatisfy { $0.allSatisfy { $0 == -77 } }, sourceLocation: sourceLocation)
        }
        attempt("input.data is NULL", input: { $0.data = nil })
        attempt("input.data", "aligned", input: { $0.data = $0.data.map { $0 + 2 } })
        attempt("input.dtype", "2", input: { $0.dtype = Int32(BACKBONE_DTYPE_INT64) })
        attempt("input.dtype", "-1", input: { $0.dtype = -1 })
        attempt("input.reserved", "9", input: { $0.reserved = 9 })
        attempt("input.strides", "\(Int64.max)", input: { $0.strides.2 = .max })
        attempt("input.strides", input: { $0.strides.1 = .min })
        attempt("outputs[1].data is NULL", outputs: { $0[1].data = nil })
        attempt("outputs[2].data", "aligned", outputs: { $0[2].data = $0[2].data.map { $0 + 1 } })
        attempt("outputs[0].dtype", outputs: { $0[0].dtype = Int32(BACKBONE_DTYPE_UINT8) })
        attempt("outputs[3].reserved", outputs: { $0[3].reserved = -1 })
        attempt("outputs[0].shape", "[1, 4, 16, 17]", "[1, 4, 16, 16]", outputs: { $0[0].shape.3 = 17 })
        attempt("outputs[3].shape", outputs: { $0[3].shape.0 = 2 })
        // Rows that overlap, channels that coincide, strides that run backwards or nowhere.
        attempt("outputs[0].strides", "overlap", outputs: { $0[0].strides.2 = 15 })
        attempt("outputs[1].strides", "overlap", outputs: { $0[1].strides.1 = 0 })
        attempt("outputs[2].strides", "overlap", outputs: { $0[2].strides.3 = -1 })
        attempt("outputs[0].strides", outputs: { $0[0].strides.2 = .min })
        attempt("outputs[0].strides", outputs: { $0[0].strides.2 = .max })

        // What was refused has broken nothing.
        let again = try net.forward(image, shape: shape)
        #expect(again[3].contains { $0 != 0 })
    }

    @Test func entries() throws {
        let net = try Net()
        let count = try net.entryNames().count
        var info = backbone_entry_info()
        var values = [Float](repeating: -77, count: 4)
        let index = try net.index("bn1.weight")
        for bad in [count, -1, Int.max, Int.min] {
            expectFailure(backbone_get_entry_info(net.handle, bad, &info), invalid, "index is \(bad)", "\(count)")
            expectFailure(backbone_read_entry(net.handle, bad, &values, 16), invalid, "index is \(bad)")
            expectFailure(backbone_write_entry(net.handle, bad, &values, 16), invalid, "index is \(bad)")
        }
        for size in [0, 12, 15, 17, 20, -16, Int.max, Int.min] {
            expectFailure(
                backbone_read_entry(net.handle, index, &values, size), invalid, "size is \(size)", "bn1.weight")
            expectFailure(
                backbone_write_entry(net.handle, index, &values, size), invalid, "size is \(size)", "expected 16")
        }
        #expect(values == [-77, -77, -77, -77])
        #expect(try net.read("bn1.weight") == [1, 1, 1, 1])
        var found = -7
        for name in ["", "conv1", "conv1.weigh", "conv1.weight ", "layer5.0.conv1.weight", "fc.weight"] {
            expectFailure(
                backbone_find_entry(net.handle, name, &found), Int(BACKBONE_STATUS_UNKNOWN_NAME), "named \(name)")
        }
        #expect(found == -7)
    }

    /// Messages are one line of bounded length, whatever the caller's text.
    @Test func longAndStrangeNames() throws {
        let net = try Net()
        var found = 0
        let name = String(repeating: "x\n\u{1b}[31m", count: 1000)
        #expect(backbone_find_entry(net.handle, name, &found) == Int32(BACKBONE_STATUS_UNKNOWN_NAME))
        let message = String(cString: backbone_last_error_message())
        #expect(message.utf8.count <= 511)
        #expect(message.utf8.allSatisfy { $0 >= 0x20 })
    }

    @Test func statusTexts() {
        let texts = (0..<11).map { String(cString: backbone_status_string($0)) }
        #expect(Set(texts).count == 11)
        #expect(texts[0] == "success")
        for unknown in [-1, 11, Int32.max, Int32.min] {
            #expect(String(cString: backbone_status_string(unknown)) == "unknown status")
        }
        #expect(String(cString: backbone_version_string()) == BACKBONE_VERSION_STRING)
        #expect(
            BACKBONE_VERSION_STRING == "\(BACKBONE_VERSION_MAJOR).\(BACKBONE_VERSION_MINOR).\(BACKBONE_VERSION_PATCH)")
        #expect(backbone_abi_version() == BACKBONE_ABI_VERSION)
    }
}
