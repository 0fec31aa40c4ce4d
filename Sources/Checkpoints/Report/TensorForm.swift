// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// How to compute a parameter from the tensors that a file has in its place. Numbers are indices into the state dict.
///
/// These are what `torch.nn.utils` writes while a reparametrisation is in place; the main tensor has the parameter's shape.
package enum TensorForm: BitwiseCopyable, Sendable {
    /// The file has the parameter itself.
    case stored
    /// `prune`: the main tensor times a mask of zeros and ones.
    case masked(mask: Int)
    /// `weight_norm`: the main tensor times `magnitude` over its norm, for each slice that has a magnitude of its own.
    case weightNorm(magnitude: Int)
    /// `spectral_norm`: the main tensor, a matrix of one row for each output channel, over `u . (matrix v)`.
    case spectralNorm(u: Int, v: Int)
}

extension StateDict {
    /// The parts of a parameter that the file does not have as one tensor.
    func composition(of parameter: Bytes) throws(BackboneError) -> (main: Int, form: TensorForm)? {
        func find(_ suffix: StaticString) throws(BackboneError) -> Int? {
            try self.find(parameter, suffix: bytes(of: suffix))
        }
        if let main = try find("_orig") {
            if let mask = try find("_mask") { return (main, .masked(mask: mask)) }
            if let u = try find("_u"), let v = try find("_v") { return (main, .spectralNorm(u: u, v: v)) }
        }
        if let main = try find("_v"), let magnitude = try find("_g") {
            return (main, .weightNorm(magnitude: magnitude))
        }
        // torch.nn.utils.parametrizations: "conv1.weight" is under "conv1.parametrizations.weight".
        var list = UniqueArray<UInt8>()
        let split = parameter.count - parameter.lastPart.count
        try list.append(parameter.slice(0, split))
        try list.append("parametrizations.")
        try list.append(parameter.lastPart)
        if let main = try self.find(list.elements, suffix: bytes(of: ".original1")),
            let magnitude = try self.find(list.elements, suffix: bytes(of: ".original0"))
        {
            return (main, .weightNorm(magnitude: magnitude))
        }
        // A single parametrisation only: the effect of a second one is unknown.
        if let main = try self.find(list.elements, suffix: bytes(of: ".original")),
            let u = try self.find(list.elements, suffix: bytes(of: ".0._u")),
            let v = try self.find(list.elements, suffix: bytes(of: ".0._v")),
            try self.find(list.elements, suffix: bytes(of: ".1._u")) == nil
        {
            return (main, .spectralNorm(u: u, v: v))
        }
        return nil
    }

    private func find(_ name: Bytes, suffix: Bytes) throws(BackboneError) -> Int? {
        var whole = UniqueArray<UInt8>()
        try whole.append(name)
        try whole.append(suffix)
        return find(whole.elements)
    }

    /// Marks the tensors of a form, except the main one, as used.
    func mark(_ form: TensorForm, in isUsed: inout UniqueArray<Bool>) {
        switch form {
        case .stored: break
        case .masked(let part), .weightNorm(let part): isUsed[part] = true
        case .spectralNorm(let u, let v):
            isUsed[u] = true
            isUsed[v] = true
        }
    }

    /// The first part of a form whose shape or type does not fit its main tensor; nil if all fit.
    func misfit(_ form: TensorForm, main: Int) -> Int? {
        let shape = shape(main)
        switch form {
        case .stored: return nil
        case .masked(let mask): return isFloating(mask) && sameSizes(self.shape(mask), shape) ? nil : mask
        case .weightNorm(let magnitude):
            let sizes = self.shape(magnitude)
            guard isFloating(magnitude), sizes.isEmpty || sizes.count == shape.count else { return magnitude }
            for axis in 0..<sizes.count where sizes[axis] != 1 && sizes[axis] != shape[axis] { return magnitude }
            return nil
        case .spectralNorm(let u, let v):
            var columns: Int64 = 1
            for axis in 1..<max(shape.count, 1) { columns &*= shape[axis] }
            if !isVector(u, of: shape.first ?? 0) { return u }
            return isVector(v, of: columns) ? nil : v
        }
    }

    private func isVector(_ index: Int, of count: Int64) -> Bool {
        isFloating(index) && shape(index).count == 1 && shape(index)[0] == count
    }

    private func isFloating(_ index: Int) -> Bool { dtype(index)?.isFloatingPoint ?? false }
}

/// Whether two shapes are the same.
package func sameSizes(_ a: UnsafeBufferPointer<Int64>, _ b: UnsafeBufferPointer<Int64>) -> Bool {
    guard a.count == b.count else { return false }
    for axis in 0..<a.count where a[axis] != b[axis] { return false }
    return true
}

extension UnsafeBufferPointer where Element == UInt8 {
    /// The part after the last dot.
    fileprivate var lastPart: Bytes {
        var start = count
        while start > 0 && self[start - 1] != UInt8(ascii: ".") { start -= 1 }
        return slice(start, count - start)
    }
}
