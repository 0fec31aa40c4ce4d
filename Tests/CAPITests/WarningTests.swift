// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Foundation
import Testing

/// Warnings of forward passes, through C; the Python tests cover which inputs lead to which warning.
struct WarningTests {
    private static let shape: [Int64] = [1, 3, 8, 8]
    private static let pixels = (0..<192).map { Float($0 * 37 % 256) }

    /// A network that is told how to normalise pixels.
    private func makeNet(_ change: (inout backbone_options) -> Void = { _ in }) throws -> Net {
        let (mean, deviation): ([Float], [Float]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
        return try mean.withUnsafeBufferPointer { mean in
            try deviation.withUnsafeBufferPointer { deviation in
                try Net(baseChannels: 1) {
                    $0.mean = mean.baseAddress
                    $0.std_dev = deviation.baseAddress
                    change(&$0)
                }
            }
        }
    }

    private func warnings(of net: Net) throws -> [String] {
        var count = -1
        try check(backbone_warning_count(net.handle, &count))
        return try (0..<count).map {
            var text: UnsafePointer<CChar>?
            try check(backbone_get_warning(net.handle, $0, &text))
            return String(cString: try #require(text))
        }
    }

    @Test func eachKindOnce() throws {
        let net = try makeNet()
        #expect(try warnings(of: net) == [])
        _ = try net.forward(Self.pixels.map { ($0 - 120) / 57 }, shape: Self.shape)
        _ = try net.forward([], shape: [0, 3, 8, 8])
        #expect(try warnings(of: net) == [])
        for _ in 0..<3 { _ = try net.forward(Self.pixels, shape: Self.shape) }
        _ = try net.forward(Self.pixels.map { $0 / 255 }, shape: Self.shape)
        var found = try warnings(of: net)
        #expect(found.count == 1 && found[0].contains("mean and std_dev were not applied"))
        _ = try net.forward(Self.pixels.map { _ in .nan }, shape: Self.shape)
        found = try warnings(of: net)
        #expect(found.count == 3 && found[1].contains("input has values") && found[2].contains("outputs[0] has values"))
    }

    @Test func badArguments() throws {
        let net = try makeNet()
        var count = 0
        var text: UnsafePointer<CChar>?
        let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
        expectFailure(backbone_warning_count(nil, &count), invalid, "net is NULL")
        expectFailure(backbone_warning_count(net.handle, nil), invalid, "out is NULL")
        expectFailure(backbone_get_warning(nil, 0, &text), invalid, "net is NULL")
        expectFailure(backbone_get_warning(net.handle, 0, nil), invalid, "out is NULL")
        for index in [0, 1, -1, Int.max, Int.min] {
            expectFailure(backbone_get_warning(net.handle, index, &text), invalid, "index is \(index)", "less than 0")
        }
        #expect(text == nil)
    }

    /// Readers see whole texts while forward passes add some.
    @Test func threads() throws {
        for _ in 0..<5 {
            let net = try makeNet()
            let failures = Counter()
            DispatchQueue.concurrentPerform(iterations: 4) { thread in
                for round in 0..<20 {
                    if thread == 0 {
                        guard let found = try? warnings(of: net) else { return failures.add() }
                        if found.contains(where: { !$0.contains(": ") || $0.count < 40 }) { failures.add() }
                    } else {
                        let values = round % 2 == 0 ? Self.pixels : Self.pixels.map { _ in Float.infinity }
                        if (try? net.forward(values, shape: Self.shape)) == nil { failures.add() }
                    }
                }
            }
            #expect(failures.value == 0)
            let found = try warnings(of: net)
            #expect(found.count == 3 && Set(found).count == 3)
        }
    }

    /// float32 goes through the same formula if that is asked for, and the option is told.
    @Test func normalizationOfFloats() throws {
        let plain = try makeNet()
        let net = try makeNet { $0.normalization = Int32(BACKBONE_NORMALIZE_ALL) }
        let means: [Float] = [123.675, 116.28, 103.53]
        let deviations: [Float] = [58.395, 57.12, 57.375]
        let normalised = Self.pixels.enumerated().map { ($1 - means[$0 / 64]) / deviations[$0 / 64] }
        let expected = try plain.forward(normalised, shape: Self.shape)
        #expect(try net.forward(Self.pixels, shape: Self.shape) == expected)
        #expect(try warnings(of: net) == [] && warnings(of: plain) == [])
        var options = defaultOptions()
        #expect(options.normalization == Int32(BACKBONE_NORMALIZE_UINT8))
        try check(backbone_get_options(net.handle, &options))
        #expect(options.normalization == Int32(BACKBONE_NORMALIZE_ALL) && options.reserved2 == 0)
        try check(backbone_get_options(plain.handle, &options))
        #expect(options.normalization == Int32(BACKBONE_NORMALIZE_UINT8))
    }
}
