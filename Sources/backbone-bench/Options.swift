// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

struct BenchError: Error {
    let message: String
    /// Whether the command line is at fault.
    var isUsage = false
}

/// The command line.
struct Options {
    enum Command: String {
        case help, peak, layers, kernels, forward, training
    }

    var command = Command.help
    /// A name that the library knows.
    var architecture = "resnet50"
    var height = 224
    var width = 224
    var batch = 1
    var runs = 20
    var threads: Int32 = 0
    var weights: String?
    var isDirect = false
    var frozenStages: Int32 = 1
    var normEval = true
    /// A percentage.
    var nonzero = 50

    /// The number of CPUs that this process may use, unless the command line says otherwise.
    var threadCount: Int { threads > 0 ? Int(threads) : Int(shims_affinity_cpu_count()) }

    init(_ arguments: [String]) throws {
        guard let first = arguments.first else { throw BenchError(message: "no command\n\n\(usage)", isUsage: true) }
        if arguments.contains("--help") || arguments.contains("-h") || first == "help" { return }
        guard let command = Command(rawValue: first) else {
            throw BenchError(message: "unknown command '\(first)'\n\n\(usage)", isUsage: true)
        }
        self.command = command
        var rest = arguments.dropFirst()
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw BenchError(message: "\(option) needs a value", isUsage: true)
            }
            try set(option, value)
        }
    }

    private mutating func set(_ option: String, _ value: String) throws {
        switch option {
        case "--architecture": architecture = value
        case "--batch": batch = try Self.number(option, value, in: 1...4096)
        case "--runs": runs = try Self.number(option, value, in: 1...1_000_000)
        case "--threads": threads = Int32(try Self.number(option, value, in: 1...1024))
        case "--weights": weights = value
        case "--nonzero": nonzero = try Self.number(option, value, in: 0...100)
        case "--size":
            let sizes = value.split(separator: "x").map(String.init)
            guard sizes.count == 2 else {
                throw BenchError(message: "--size is '\(value)', expected HxW: 800x1344", isUsage: true)
            }
            height = try Self.number(option, sizes[0], in: 1...100_000)
            width = try Self.number(option, sizes[1], in: 1...100_000)
        case "--arithmetic":
            guard value == "fast" || value == "direct" else {
                throw BenchError(message: "--arithmetic is '\(value)', expected fast or direct", isUsage: true)
            }
            isDirect = value == "direct"
        case "--frozen": frozenStages = Int32(try Self.number(option, value, in: -1...4))
        case "--norms":
            guard value == "eval" || value == "batch" else {
                throw BenchError(message: "--norms is '\(value)', expected eval or batch", isUsage: true)
            }
            normEval = value == "eval"
        default: throw BenchError(message: "unknown option \(option)", isUsage: true)
        }
    }

    private static func number(_ option: String, _ text: String, in range: ClosedRange<Int>) throws -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw BenchError(
                message: "\(option) is '\(text)', expected \(range.lowerBound) to \(range.upperBound)", isUsage: true)
        }
        return number
    }
}
