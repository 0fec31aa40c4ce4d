// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

extension ForeignModules {
    /// The size of the largest bias that is read: each output channel has one value.
    private static var mostBiasValues: Int { 1 << 16 }

    /// Reads all biases of convolutions, to know which are zero. Caffe files have zero biases, which change nothing.
    static func findZeroBiases(
        _ stateDict: borrowing StateDict, _ names: borrowing ForeignNames
    ) throws(BackboneError) -> UniqueArray<Bool> {
        var isZeroBias = try UniqueArray(repeating: false, count: stateDict.count)
        var found = UniqueArray<Int>()
        var total = 0
        for index in 0..<stateDict.count {
            guard let name = stateDict.name(index), names.isBias(name), !stateDict.isOutside(index),
                let dtype = stateDict.dtype(index), dtype.isFloatingPoint
            else { continue }
            let count = stateDict.elementCount(index)
            // A bias that is not read counts as not zero.
            guard count <= mostBiasValues, total + count <= 64 * mostBiasValues else { continue }
            total += count
            try found.append(index)
        }
        if found.isEmpty { return isZeroBias }
        let values = try Buffer<Float>(count: total)
        var destinations = UniqueArray<TensorDestination>()
        var start = 0
        for index in found.elements {
            try destinations.append(TensorDestination(tensor: index, float32: values.start + start))
            start += stateDict.elementCount(index)
        }
        try stateDict.read(destinations)
        start = 0
        for index in found.elements {
            let count = stateDict.elementCount(index)
            var isZero = true
            for position in start..<start + count where values.start[position] != 0 { isZero = false }
            isZeroBias[index] = isZero
            start += count
        }
        return isZeroBias
    }
}
