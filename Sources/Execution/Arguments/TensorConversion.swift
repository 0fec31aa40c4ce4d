// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels

extension InputNormalization {
    /// Converts rows of one image of a caller's tensor, from `firstRow` on as many as the output has.
    func conversion(
        of view: TensorView, image: Int, firstRow: Int = 0, to output: Activation
    ) -> InputConversionTask {
        let applies = applies(to: view.element)
        // Unchanged floats are copied, which is faster.
        let changes = applies && (view.element == .uint8 || changesValues)
        return InputConversionTask(
            source: view.address(image: image) + firstRow * view.strides.h * view.elementSize, element: view.element,
            channelStride: view.strides.c, rowStride: view.strides.h, columnStride: view.strides.w,
            mean: changes ? means : nil, standardDeviation: changes ? standardDeviations : nil,
            reversesChannels: applies && reversesChannels, output: output)
    }
}

extension TensorView {
    /// Converts rows of an activation to those of one image of a caller's tensor, from `firstRow` on.
    func conversion(from input: Activation, image: Int, firstRow: Int = 0) -> OutputConversionTask {
        OutputConversionTask(
            input: input,
            destination: address(image: image).assumingMemoryBound(to: Float.self) + firstRow * strides.h,
            channelStride: strides.c, rowStride: strides.h, columnStride: strides.w)
    }

    /// Converts one image of a caller's tensor of floats, unchanged.
    func conversion(image: Int, to output: Activation) -> InputConversionTask {
        InputConversionTask(
            source: address(image: image), element: element, channelStride: strides.c, rowStride: strides.h,
            columnStride: strides.w, mean: nil, standardDeviation: nil, reversesChannels: false, output: output)
    }
}
