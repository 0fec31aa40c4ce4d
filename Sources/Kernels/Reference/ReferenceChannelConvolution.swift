// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The convolution along the channels in Double, rounded once.
enum ReferenceChannelConvolution {
    static var kernel: Kernel<ChannelConvolutionTask> {
        Kernel(
            name: "channelConvolutionF32_reference", blockCount: { task, _ in task.output.channels },
            runBlock: { task, _, block, _ in run(task, channel: block) })
    }

    /// A block is a channel.
    private static func run(_ task: ChannelConvolutionTask, channel: Int) {
        var sum = 0.0
        for element in task.elements(of: channel) {
            let value = task.input.origin[channel + element - task.size / 2]
            sum += Double(task.weights[element]) * Double(value)
        }
        task.output.origin[channel] = Float(sum)
    }
}
