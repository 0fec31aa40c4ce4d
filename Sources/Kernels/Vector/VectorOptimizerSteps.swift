// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// A step of SGD, a vector at a time; the portable kernel has the same bits for what fills none.
enum VectorSGDStep<Instructions: VectorInstructions> {
    static var kernel: Kernel<SGDStepTask> {
        Kernel(
            name: Instructions.names.sgdStep, blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in
                let step = task.part(block)
                let whole = step.count - step.count % Instructions.lanes
                Instructions.sgdStep(step.part(0, whole))
                PortableSGDStep.run(step.part(whole, step.count - whole))
            })
    }
}

/// A step of AdamW, in the same way.
enum VectorAdamWStep<Instructions: VectorInstructions> {
    static var kernel: Kernel<AdamWStepTask> {
        Kernel(
            name: Instructions.names.adamWStep, blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in
                let step = task.part(block)
                let whole = step.count - step.count % Instructions.lanes
                Instructions.adamWStep(step.part(0, whole))
                PortableAdamWStep.run(step.part(whole, step.count - whole))
            })
    }
}
