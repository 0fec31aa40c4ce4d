// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of the convolution along the channels, eight at a time.
enum PortableChannelConvolutionGradient {
    static var kernel: Kernel<ChannelConvolutionGradientTask> {
        Kernel(
            name: "channelConvolutionGradientF32_portable",
            // Microseconds of work for 2048 channels: too little to share.
            blockCount: { _, _ in 1 }, runBlock: { task, _, _, _ in run(task) })
    }

    private static func run(_ task: ChannelConvolutionGradientTask) {
        let channels = task.inputGradient.channels
        let gradient = UnsafePointer(task.outputGradient.origin)
        let out = task.inputGradient.origin
        if !task.accumulates { out.update(repeating: 0, count: channels) }
        for element in 0..<task.convolution.size {
            // The outputs for which an element of the filter reads an existing channel, and that channel.
            let offset = element - task.convolution.size / 2
            let first = max(0, -offset)
            let count = channels - abs(offset)
            guard count > 0 else { continue }
            let input = UnsafePointer(task.convolution.input.origin) + (first + offset)
            var sum = SIMD8<Double>.zero
            forEachOctet(count) { index, lanes in
                let values = (gradient + (first + index)).octet(lanes)
                (out + (first + offset + index)).write(
                    values * task.convolution.weights[element], lanes, accumulates: true)
                sum += SIMD8<Double>(values) * SIMD8<Double>((input + index).octet(lanes))
            }
            task.weightGradient?[element] += Float(sum.sum())
        }
    }
}
