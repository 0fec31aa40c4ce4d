// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of the convolution along the channels in Double, each rounded once.
enum ReferenceChannelConvolutionGradient {
    static var kernel: Kernel<ChannelConvolutionGradientTask> {
        Kernel(
            name: "channelConvolutionGradientF32_reference", blockCount: { _, _ in 1 },
            runBlock: { task, _, _, _ in run(task) })
    }

    private static func run(_ task: ChannelConvolutionGradientTask) {
        let (size, channels) = (task.convolution.size, task.inputGradient.channels)
        let gradient = task.outputGradient.origin
        for channel in 0..<channels {
            var sum = 0.0
            for element in 0..<size {
                let output = channel - element + size / 2
                guard 0..<channels ~= output else { continue }
                sum += Double(task.convolution.weights[element]) * Double(gradient[output])
            }
            writeGradient(sum, to: task.inputGradient.origin + channel, accumulates: task.accumulates)
        }
        guard let weightGradient = task.weightGradient else { return }
        for element in 0..<size {
            var sum = 0.0
            for channel in 0..<channels {
                let input = channel + element - size / 2
                guard 0..<channels ~= input else { continue }
                sum += Double(gradient[channel]) * Double(task.convolution.input.origin[input])
            }
            writeGradient(sum, to: weightGradient + element, accumulates: true)
        }
    }
}
