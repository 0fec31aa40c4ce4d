// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// `input * scale + shift + residual`, with nothing below 0 if a ReLU follows.
    @inline(never)
    package static func elementwiseSums(_ pixels: shims_elementwise, isReLU: Bool) {
        let floor: Float = isReLU ? 0 : -.infinity
        guard let scale = pixels.scale else { return plainSums(pixels, floor) }
        if let shift = pixels.shift {
            shiftedSums(pixels, scale, shift, floor)
        } else {
            scaledSums(pixels, scale, floor)
        }
    }
}

// One function for each: all in one are too much for the optimiser, which then leaves the loops in a function of their
// own that looks for what to add with each vector.

@inline(never)
package func plainSums(_ pixels: shims_elementwise, _ floor: Float) {
    if let residual = pixels.residual {
        compute(pixels, nil, nil, residual, floor)
    } else {
        compute(pixels, nil, nil, nil, floor)
    }
}

@inline(never)
package func scaledSums(_ pixels: shims_elementwise, _ scale: UnsafePointer<Float>, _ floor: Float) {
    if let residual = pixels.residual {
        compute(pixels, scale, nil, residual, floor)
    } else {
        compute(pixels, scale, nil, nil, floor)
    }
}

@inline(never)
package func shiftedSums(
    _ pixels: shims_elementwise, _ scale: UnsafePointer<Float>, _ shift: UnsafePointer<Float>, _ floor: Float
) {
    if let residual = pixels.residual {
        compute(pixels, scale, shift, residual, floor)
    } else {
        compute(pixels, scale, shift, nil, floor)
    }
}

@inline(__always)
private func compute(
    _ pixels: shims_elementwise, _ scale: UnsafePointer<Float>?, _ shift: UnsafePointer<Float>?,
    _ residual: UnsafePointer<Float>?, _ floor: Float
) {
    let floors = Vector(repeating: floor)
    let input = pixels.input.unsafelyUnwrapped
    let output = pixels.output.unsafelyUnwrapped
    var offset = 0
    for _ in 0..<pixels.pixels {
        var channel = 0
        while channel < pixels.channels {
            var value = load(input + offset)
            if let scale {
                if let shift {
                    value = addProduct(load(shift + channel), load(scale + channel), value)
                } else {
                    value *= load(scale + channel)
                }
            }
            if let residual { value += load(residual + offset) }
            store(rectified(value, floors), output + offset)
            channel &+= lanes
            offset &+= lanes
        }
    }
}
