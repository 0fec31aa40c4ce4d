// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// Compiled for each instruction set, and through a link for any CPU: they differ in `Vector`, `addFused` and
// `squareRoots`, and give the same bits. The operations are PyTorch's, in its order.

/// A step of SGD for the parameters of a vector. `buffer` is used only if the step has a momentum buffer.
@inline(__always)
func update(_ parameters: inout Vector, _ buffer: inout Vector, _ gradients: Vector, _ step: shims_sgd_step) {
    var direction = gradients
    if step.decays { direction = addFused(direction, Vector(repeating: step.weight_decay), parameters) }
    if step.momentum_buffer != nil {
        if step.begins {
            buffer = direction
        } else {
            buffer = addFused(buffer * step.momentum, Vector(repeating: step.gradient_share), direction)
        }
        direction = step.is_nesterov ? addFused(direction, Vector(repeating: step.momentum), buffer) : buffer
    }
    parameters = addFused(parameters, Vector(repeating: step.negated_rate), direction)
}

/// A step of AdamW for the parameters of a vector.
@inline(__always)
func update(
    _ parameters: inout Vector, _ averages: inout Vector, _ squares: inout Vector, _ gradients: Vector,
    _ step: shims_adamw_step
) {
    if step.decays { parameters *= step.kept }
    // PyTorch's lerp starts from the nearer end.
    let isNear = step.share < 0.5
    let factor = Vector(repeating: isNear ? step.share : step.share - 1)
    averages = addFused(isNear ? averages : gradients, factor, gradients - averages)
    squares = addFused(squares * step.square_kept, gradients * step.square_share, gradients)
    let denominators = squareRoots(squares) / step.correction + step.epsilon
    parameters += averages * step.negated_rate / denominators
}
