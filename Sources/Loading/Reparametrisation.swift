// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Runtime

/// Parameters that a file has in parts: memory for the parts, and the computation of the parameters from them.
///
/// (torch.nn.utils: `prune.CustomFromMask`, `weight_norm`, `spectral_norm` in evaluation mode.)
struct Reparametrisation: ~Copyable {
    private struct Item {
        let form: TensorForm
        /// The main tensor, which becomes the parameter.
        let values: UnsafeMutablePointer<Float>
        /// Receives the faults of the parameter.
        let faults: UnsafeMutablePointer<ValueFaults>?
        let count: Int
        /// Elements of one output channel.
        let rowCount: Int
        /// The other parts begin here in `memory`.
        let parts: Int
        /// Index of the main tensor.
        let tensor: Int
    }

    private var items = UniqueArray<Item>()
    /// The other parts.
    private var memory = UniqueArray<Buffer<Float>>()
    /// Sums over the slices of a weight-normed parameter: enough for the parameter with the most slices.
    private var sums = UniqueArray<Double>()

    /// Notes a parameter, and adds its parts other than the main tensor to the tensors to read.
    ///
    /// - Parameters:
    ///   - values: memory for the main tensor.
    ///   - faults: receives the faults of the parameter, which its parts need not show; nil if not needed.
    mutating func add(
        _ match: LoadReport.Match, _ values: UnsafeMutablePointer<Float>, _ stateDict: borrowing StateDict,
        _ destinations: inout UniqueArray<TensorDestination>, faults: UnsafeMutablePointer<ValueFaults>? = nil
    ) throws(BackboneError) {
        let parts = memory.count
        switch match.form {
        case .stored: return
        case .masked(let mask): try add(mask, stateDict, &destinations)
        case .weightNorm(let magnitude):
            try add(magnitude, stateDict, &destinations)
            while sums.count < stateDict.elementCount(magnitude) { try sums.append(0) }
        case .spectralNorm(let u, let v):
            try add(u, stateDict, &destinations)
            try add(v, stateDict, &destinations)
        }
        let count = stateDict.elementCount(match.tensor)
        let shape = stateDict.shape(match.tensor)
        let rows = shape.isEmpty ? 1 : Int(max(shape[0], 1))
        try items.append(
            Item(
                form: match.form, values: values, faults: faults, count: count, rowCount: count / rows, parts: parts,
                tensor: match.tensor))
    }

    private mutating func add(
        _ part: Int, _ stateDict: borrowing StateDict, _ destinations: inout UniqueArray<TensorDestination>
    ) throws(BackboneError) {
        let buffer = try Buffer<Float>(count: max(stateDict.elementCount(part), 1))
        try destinations.append(TensorDestination(tensor: part, float32: buffer.start))
        try memory.append(buffer)
    }

    /// Computes the parameters, once everything has been read.
    mutating func compute(_ stateDict: borrowing StateDict) {
        for index in 0..<items.count {
            let item = items[index]
            switch item.form {
            case .stored: break
            case .masked:
                let mask = memory[item.parts].start
                for position in 0..<item.count { item.values[position] *= mask[position] }
            case .weightNorm(let magnitude):
                computeWeightNorm(item, Slices(stateDict.shape(magnitude), stateDict.shape(item.tensor)))
            case .spectralNorm: computeSpectralNorm(item)
            }
            item.faults?.pointee.note(computed: item.values, count: item.count)
        }
    }

    /// `magnitude * v / |v|`, with a norm over each slice that has a magnitude of its own.
    private mutating func computeWeightNorm(_ item: Item, _ slices: Slices) {
        let magnitudes = memory[item.parts].start
        let sums = self.sums.mutableElements
        for slice in 0..<slices.count { sums[slice] = 0 }
        for position in 0..<item.count {
            let value = Double(item.values[position])
            sums[slices.index(of: position)] += value * value
        }
        for slice in 0..<slices.count { sums[slice] = Double(magnitudes[slice]) / sums[slice].squareRoot() }
        for position in 0..<item.count {
            item.values[position] = Float(Double(item.values[position]) * sums[slices.index(of: position)])
        }
    }

    /// `weight / (u . (W v))`, where W is the weight as a matrix of one row for each output channel.
    private func computeSpectralNorm(_ item: Item) {
        let (u, v) = (memory[item.parts].start, memory[item.parts + 1].start)
        var sigma = 0.0
        for row in 0..<item.count / max(item.rowCount, 1) {
            var sum = 0.0
            for column in 0..<item.rowCount {
                sum += Double(item.values[row * item.rowCount + column]) * Double(v[column])
            }
            sigma += sum * Double(u[row])
        }
        for position in 0..<item.count { item.values[position] = Float(Double(item.values[position]) / sigma) }
    }
}

/// The slices of a tensor that share a magnitude: those along the axes along which the magnitude has one element.
private struct Slices {
    let count: Int
    private let sizes: UnsafeBufferPointer<Int64>
    private let shape: UnsafeBufferPointer<Int64>
    /// Elements of a slice, if these are contiguous; else 0.
    private let run: Int

    init(_ sizes: UnsafeBufferPointer<Int64>, _ shape: UnsafeBufferPointer<Int64>) {
        var (count, elements) = (1, 1)
        for size in sizes { count *= Int(size) }
        for size in shape { elements *= Int(size) }
        self.count = count
        self.sizes = sizes
        self.shape = shape
        // The usual case: a magnitude for each output channel; or one for all.
        let isRow = count == 1 || count == Int(shape[0]) && sizes[0] == shape[0]
        run = isRow ? elements / max(count, 1) : 0
    }

    func index(of position: Int) -> Int {
        if run > 0 { return position / run }
        var (rest, slice, stride) = (position, 0, 1)
        for axis in Swift.stride(from: sizes.count - 1, through: 0, by: -1) {
            let index = rest % Int(shape[axis])
            rest /= Int(shape[axis])
            if sizes[axis] != 1 { slice += index * stride }
            stride *= Int(sizes[axis])
        }
        return slice
    }
}
