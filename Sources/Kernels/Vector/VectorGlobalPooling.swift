// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Global pooling with sums in Double. Channels that fill no vectors are left to the portable kernel.
enum VectorGlobalPooling<Instructions: VectorInstructions> {
    static var kernel: Kernel<GlobalPoolingTask> {
        Kernel(
            name: Instructions.names.globalPooling,
            needs: { _ in
                KernelNeeds(scratchCount: ChannelBlocks.size * (MemoryLayout<Double>.size / MemoryLayout<Float>.size))
            },
            blockCount: { task, _ in
                let blocks = ChannelBlocks(channels: task.input.channels)
                return blocks.haveVectors ? blocks.count : PortableGlobalPooling.blockCount(task)
            },
            runBlock: { task, _, block, memory in run(task, block: block, scratch: memory.own) })
    }

    private static func run(_ task: GlobalPoolingTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let blocks = ChannelBlocks(channels: task.input.channels)
        guard blocks.haveVectors else { return PortableGlobalPooling.run(task, block: block) }
        let channels = blocks[block]
        let sums = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Double.self)
        sums.update(repeating: 0, count: channels.count)
        for row in 0..<task.input.height {
            Instructions.addPixels(
                UnsafePointer(task.input.pixel(row: row, column: 0)) + channels.lowerBound, count: task.input.width,
                stride: task.input.channels, channels: channels.count, sums: sums)
        }
        let count = Double(task.input.height * task.input.width)
        let out = task.output.origin + channels.lowerBound
        for index in 0..<channels.count { out[index] = Float(sums[index] / count) }
    }
}
