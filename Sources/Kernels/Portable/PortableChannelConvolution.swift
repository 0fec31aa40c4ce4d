// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The convolution along the channels, eight at a time.
enum PortableChannelConvolution {
    static var kernel: Kernel<ChannelConvolutionTask> {
        Kernel(
            name: "channelConvolutionF32_portable",
            // A microsecond of work for 2048 channels: too little to share.
            blockCount: { _, _ in 1 }, runBlock: { task, _, _, _ in run(task) })
    }

    private static func run(_ task: ChannelConvolutionTask) {
        let channels = task.output.channels
        let padding = task.size / 2
        var channel = 0
        while channel < channels {
            if channel >= padding && channel + 8 + padding <= channels {
                let source = UnsafePointer(task.input.origin) + (channel - padding)
                var sum = SIMD8<Float>.zero
                for element in 0..<task.size { sum = addProduct(sum, task.weights[element], (source + element).octet) }
                (task.output.origin + channel).store(sum)
                channel += 8
            } else {
                var sum: Float = 0
                for element in task.elements(of: channel) {
                    sum += task.weights[element] * task.input.origin[channel + element - padding]
                }
                task.output.origin[channel] = sum
                channel += 1
            }
        }
    }
}
