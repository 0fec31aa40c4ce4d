// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// A step of SGD. The number of parameters is a multiple of `lanes`.
    @inline(never)
    package static func sgdStep(_ step: shims_sgd_step) {
        let parameters = step.parameters.unsafelyUnwrapped
        let gradients = step.gradients.unsafelyUnwrapped
        var index = 0
        while index < step.count {
            var values = load(parameters + index)
            var buffer = Vector.zero
            if let memory = step.momentum_buffer { buffer = load(memory + index) }
            update(&values, &buffer, load(gradients + index), step)
            store(values, parameters + index)
            if let memory = step.momentum_buffer { store(buffer, memory + index) }
            index &+= lanes
        }
    }

    /// A step of AdamW. The number of parameters is a multiple of `lanes`.
    @inline(never)
    package static func adamWStep(_ step: shims_adamw_step) {
        let parameters = step.parameters.unsafelyUnwrapped
        let gradients = step.gradients.unsafelyUnwrapped
        let averages = step.averages.unsafelyUnwrapped
        let squares = step.squares.unsafelyUnwrapped
        var index = 0
        while index < step.count {
            var values = load(parameters + index)
            var (average, square) = (load(averages + index), load(squares + index))
            update(&values, &average, &square, load(gradients + index), step)
            store(values, parameters + index)
            store(average, averages + index)
            store(square, squares + index)
            index &+= lanes
        }
    }
}
