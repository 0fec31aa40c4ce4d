// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// A tensor that a network has and a checkpoint should.
package struct ExpectedTensor: BitwiseCopyable {
    /// The types of a network's parameters and buffers.
    package enum Kind: BitwiseCopyable, Sendable {
        /// Filled from any floating-point type.
        case float32
        /// Filled from any integer type.
        case int64
    }

    package let name: Bytes
    package let shape: UnsafeBufferPointer<Int64>
    package let kind: Kind
    /// Whether it is of no consequence if the file lacks it: `num_batches_tracked` before PyTorch 0.4.1.
    package let mayBeMissing: Bool

    /// - Parameters:
    ///   - name: and `shape` are borrowed until the matching is done.
    package init(name: Bytes, shape: UnsafeBufferPointer<Int64>, dtype: Kind, mayBeMissing: Bool) {
        self.name = name
        self.shape = shape
        kind = dtype
        self.mayBeMissing = mayBeMissing
    }
}

extension StateDict {
    /// Compares what a network expects with what the file holds. Nothing is read yet.
    ///
    /// - Parameters:
    ///   - expected: in the order of the network.
    ///   - prefixes: of names in the file that are of no consequence where the network lacks them, as "fc.".
    /// - Returns: what was found, whether it is good or bad; `LoadReport.verdict` tells.
    /// - Throws: `badCheckpoint` naming the tensor where something that the network needs is no tensor or has integers
    ///   for floats or floats for integers; `outOfMemory`.
    package func match(
        _ expected: borrowing UniqueArray<ExpectedTensor>, ignorable prefixes: borrowing UniqueArray<StaticString>
    ) throws(BackboneError) -> LoadReport {
        var report = try LoadReport(of: self)
        var isUsed = try UniqueArray<Bool>(repeating: false, count: count)
        for position in 0..<expected.count {
            let wanted = expected[position]
            guard let index = find(wanted.name) else {
                try report.append(
                    wanted.mayBeMissing ? .ignorable : .missing, name: wanted.name, expected: wanted.shape, actual: nil)
                continue
            }
            isUsed[index] = true
            try checkType(of: index, for: wanted)
            let isSame = equal(wanted.shape, shape(index))
            try report.append(
                isSame ? .loaded : .mismatched, name: wanted.name, expected: wanted.shape, actual: shape(index),
                match: LoadReport.Match(expected: position, tensor: index))
        }
        for index in 0..<count where !isUsed[index] && catalog.entries[index].isTensor {
            var isIgnorable = false
            for position in 0..<prefixes.count where name(index).hasPrefix(prefixes[position]) { isIgnorable = true }
            try report.append(
                isIgnorable ? .ignorable : .unexpected, name: nameInFile(index), expected: nil, actual: shape(index))
        }
        try report.finish()
        return report
    }

    private func checkType(of index: Int, for wanted: ExpectedTensor) throws(BackboneError) {
        guard let dtype = dtype(index) else {
            throw located(
                BackboneError(
                    .badCheckpoint, "'\(wanted.name)' is no tensor that is read here, but \(catalog.obstacle(index))"))
        }
        switch wanted.kind {
        case .float32 where !dtype.isFloatingPoint:
            throw located(
                BackboneError(.badCheckpoint, "tensor '\(wanted.name)' is of \(dtype.name), expected floating point"))
        case .int64 where dtype.isFloatingPoint:
            throw located(
                BackboneError(.badCheckpoint, "tensor '\(wanted.name)' is of \(dtype.name), expected integers"))
        default: return
        }
    }
}

/// Shapes are the same or not: [] is not [1], and nothing is broadcast.
private func equal(_ a: UnsafeBufferPointer<Int64>, _ b: UnsafeBufferPointer<Int64>) -> Bool {
    guard a.count == b.count else { return false }
    for axis in 0..<a.count where a[axis] != b[axis] { return false }
    return true
}
