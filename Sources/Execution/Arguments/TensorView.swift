// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// Sizes or strides in the order N, C, H, W.
package struct Dimensions: BitwiseCopyable, Equatable, Sendable {
    package var n: Int
    package var c: Int
    package var h: Int
    package var w: Int

    package init(_ n: Int, _ c: Int, _ h: Int, _ w: Int) {
        (self.n, self.c, self.h, self.w) = (n, c, h, w)
    }

    package subscript(index: Int) -> Int {
        switch index {
        case 0: n
        case 1: c
        case 2: h
        default: w
        }
    }
}

/// A tensor in a caller's memory.
package struct TensorView: BitwiseCopyable {
    package let data: UnsafeMutableRawPointer?
    package let element: InputElement
    package let shape: Dimensions
    /// Strides in elements; 0 for sizes of 1, whose stride is never used and may be any number.
    package let strides: Dimensions

    package init(data: UnsafeMutableRawPointer?, element: InputElement, shape: Dimensions, strides: Dimensions) {
        self.data = data
        self.element = element
        self.shape = shape
        self.strides = Dimensions(
            shape.n > 1 ? strides.n : 0, shape.c > 1 ? strides.c : 0, shape.h > 1 ? strides.h : 0,
            shape.w > 1 ? strides.w : 0)
    }

    var isEmpty: Bool { shape.n == 0 || shape.c == 0 || shape.h == 0 || shape.w == 0 }

    /// Element (image, 0, 0, 0). Call after `checkAddresses`, for a tensor that is not empty.
    func address(image: Int) -> UnsafeMutableRawPointer {
        data.unsafelyUnwrapped + image * strides.n * elementSize
    }

    /// Size of an element in bytes.
    var elementSize: Int { element == .float32 ? 4 : 1 }

    /// Checks that all elements can be addressed. `name` is that of the argument, for the message.
    func checkAddresses(_ name: Message) throws(BackboneError) {
        if isEmpty { return }
        guard let data else {
            throw BackboneError(.invalidArgument, "\(name).data is NULL, expected a pointer")
        }
        guard Int(bitPattern: data) % elementSize == 0 else {
            throw BackboneError(
                .invalidArgument, "\(name).data is not aligned, expected a multiple of \(elementSize) bytes")
        }
        var span: Int? = elementSize
        for index in 0..<4 where shape[index] > 1 {
            let distance = checkedProduct(shape[index] - 1, Int(exactly: strides[index].magnitude))
            span = checkedSum(span, checkedProduct(distance, elementSize))
        }
        guard span != nil else {
            throw BackboneError(
                .invalidArgument,
                """
                \(name).strides \(dimensions: strides) with shape \(dimensions: shape) reach beyond memory; give those \
                of the array, in elements
                """)
        }
    }

    /// Checks a tensor of floats that must have a shape.
    package func check(_ name: Message, shape expected: Dimensions) throws(BackboneError) {
        guard element == .float32 else { throw BackboneError(.invalidArgument, "\(name).dtype must be float32") }
        guard shape == expected else {
            throw BackboneError(
                .invalidArgument, "\(name).shape is \(dimensions: shape), expected \(dimensions: expected)")
        }
        try checkAddresses(name)
    }

    /// Checks that no two elements share memory: sorted by size, each stride must exceed the span of the smaller ones.
    /// Call after `checkAddresses`.
    package func checkDisjoint(_ name: Message) throws(BackboneError) {
        if isEmpty { return }
        // The span of the strides checked so far, and which those are.
        var span = 1
        var done = 0
        for _ in 0..<4 {
            var smallest = -1
            for index in 0..<4 where shape[index] > 1 && done >> index & 1 == 0 {
                if smallest < 0 || strides[index] < strides[smallest] { smallest = index }
            }
            if smallest < 0 { return }
            guard strides[smallest] >= span else {
                throw BackboneError(
                    .invalidArgument,
                    """
                    \(name).strides \(dimensions: strides) make elements of shape \(dimensions: shape) overlap: stride \
                    \(strides[smallest]), expected at least \(span)
                    """
                )
            }
            span += (shape[smallest] - 1) * strides[smallest]
            done |= 1 << smallest
        }
    }
}

extension Message.Interpolation {
    /// Sizes or strides as PyTorch prints them: `[1, 3, 224, 224]`.
    package mutating func appendInterpolation(dimensions: Dimensions) {
        appendInterpolation("[\(dimensions.n), \(dimensions.c), \(dimensions.h), \(dimensions.w)]" as Message)
    }
}
