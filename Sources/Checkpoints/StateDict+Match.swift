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
    /// The value of all elements where a file has no statistics at all, and its dialect allows that.
    package let statistic: Float?
    /// The largest size that dimension 1, the input channels of a stem, may have in a file whose stem the caller converts;
    /// nil where it must be that of `shape`.
    package let mostChannels: Int64?

    /// - Parameters:
    ///   - name: and `shape` are borrowed until the matching is done.
    package init(
        name: Bytes, shape: UnsafeBufferPointer<Int64>, dtype: Kind, mayBeMissing: Bool, statistic: Float? = nil,
        mostChannels: Int64? = nil
    ) {
        self.name = name
        self.shape = shape
        kind = dtype
        self.mayBeMissing = mayBeMissing
        self.statistic = statistic
        self.mostChannels = mostChannels
    }
}

extension StateDict {
    /// Compares what a network expects with what the file holds. Nothing is read yet.
    ///
    /// - Parameters:
    ///   - expected: in the order of the network.
    ///   - prefixes: of our names that are of no consequence where the network lacks them, as "fc.".
    /// - Returns: what was found, whether it is good or bad; `LoadReport.verdict` tells.
    /// - Throws: `badCheckpoint` naming the tensor where something that the network needs is no tensor or has integers
    ///   for floats or floats for integers; `outOfMemory`.
    package func match(
        _ expected: borrowing UniqueArray<ExpectedTensor>, ignorable prefixes: borrowing UniqueArray<StaticString>
    ) throws(BackboneError) -> LoadReport {
        var report = try LoadReport(of: self)
        var isUsed = try UniqueArray<Bool>(repeating: false, count: count)
        let hasDefaults = dialect.mayLackStatistics && !outline.hasStatistics
        for position in 0..<expected.count {
            let wanted = expected[position]
            guard let index = find(wanted.name) else {
                let isDefault = hasDefaults && wanted.statistic != nil
                try report.append(
                    isDefault || wanted.mayBeMissing ? .ignorable : .missing, name: wanted.name, expected: wanted.shape,
                    actual: nil)
                if isDefault { try report.appendDefault(position) }
                continue
            }
            isUsed[index] = true
            try checkType(of: index, for: wanted)
            try report.append(
                fits(index, wanted) ? .loaded : .mismatched, name: wanted.name, expected: wanted.shape,
                actual: shape(index), match: LoadReport.Match(expected: position, tensor: index))
        }
        for index in 0..<count where !isUsed[index] && catalog.entries[index].isTensor {
            var isOfNoConsequence = isOutside(index) || isIgnorable(index)
            if let name = name(index) {
                for position in 0..<prefixes.count where name.hasPrefix(prefixes[position]) { isOfNoConsequence = true }
            }
            try report.append(
                isOfNoConsequence ? .ignorable : .unexpected, name: nameInFile(index), expected: nil,
                actual: shape(index))
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

    /// Whether a tensor has the shape that is wanted. Shapes are the same or not: [] is not [1], and nothing is
    /// broadcast.
    private func fits(_ index: Int, _ wanted: ExpectedTensor) -> Bool {
        let (found, expected) = (shape(index), wanted.shape)
        guard found.count == expected.count else { return false }
        for axis in 0..<found.count where found[axis] != expected[axis] {
            guard axis == 1, let most = wanted.mostChannels, (1...most).contains(found[axis]) else { return false }
        }
        return true
    }
}

extension StateDict {
    /// Biases of convolutions, which a ResNet lacks: how many, and the index of the first. Those that files of the
    /// dialect are known to have for nothing do not count.
    package var convolutionBiases: (count: Int, first: Int?) {
        var result: (count: Int, first: Int?) = (0, nil)
        for index in 0..<count {
            guard let name = name(index), isResNetName(name), !isIgnorable(index), dtype(index) != nil else { continue }
            guard
                equal(name, "conv1.bias") || name.hasSuffix(".conv1.bias") || name.hasSuffix(".conv2.bias")
                    || name.hasSuffix(".conv3.bias") || name.hasSuffix(".downsample.0.bias")
            else { continue }
            result = (result.count + 1, result.first ?? index)
        }
        return result
    }
}
