// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Gives each tensor of a plan a place in one block of memory, so that tensors which are alive at the same time do not
/// overlap and the block stays small: first fit, in the order in which tensors come to life.
struct PlanMemory: ~Copyable {
    private struct Lifetime: BitwiseCopyable {
        var firstStep: Int
        var lastStep: Int
    }

    private var lifetimes = UniqueArray<Lifetime>()

    /// Sets the offsets and returns the size of the block in floats.
    mutating func place(
        _ tensors: inout UniqueArray<PlanTensor>, _ steps: borrowing UniqueArray<PlanStep>,
        _ sections: borrowing UniqueArray<PlanSection>
    ) throws(BackboneError) -> Int {
        lifetimes = try UniqueArray(repeating: Lifetime(firstStep: .max, lastStep: .min), count: tensors.count)
        for section in 0..<sections.count { findLifetimes(in: sections[section], steps) }
        var size = 0
        // Tensors were listed in the order in which they are written.
        for tensor in 0..<tensors.count {
            let offset = lowestFreeOffset(for: tensor, tensors)
            guard let offset, let end = checkedSum(offset, tensors[tensor].floatCount) else {
                throw BackboneError(
                    .invalidArgument, "input is too large for the address space; use fewer or smaller images")
            }
            tensors[tensor].offset = offset
            size = max(size, end)
        }
        return size
    }

    private mutating func findLifetimes(in section: PlanSection, _ steps: borrowing UniqueArray<PlanStep>) {
        for index in section.firstStep..<section.endStep {
            // In bands, all steps of a section take place in turn.
            let time = section.bandCount > 1 ? section.firstStep..<section.endStep : index..<index + 1
            if let source = steps[index].source { use(source, time) }
            if let residual = steps[index].residual { use(residual, time) }
            if let scale = steps[index].scale { use(scale, time) }
            if let target = steps[index].target { use(target, time) }
        }
    }

    private mutating func use(_ tensor: Int, _ steps: Range<Int>) {
        lifetimes[tensor].firstStep = min(lifetimes[tensor].firstStep, steps.lowerBound)
        lifetimes[tensor].lastStep = max(lifetimes[tensor].lastStep, steps.upperBound - 1)
    }

    /// The lowest place where a tensor overlaps none of those before it that are alive with it.
    private func lowestFreeOffset(for tensor: Int, _ tensors: borrowing UniqueArray<PlanTensor>) -> Int? {
        var offset = 0
        var moved = true
        // Each round moves past at least one more tensor, so it takes at most as many rounds as tensors.
        while moved {
            moved = false
            for other in 0..<tensor where livesWith(tensor, other) {
                guard let end = checkedSum(offset, tensors[tensor].floatCount) else { return nil }
                let otherEnd = tensors[other].offset + tensors[other].floatCount
                if offset < otherEnd && tensors[other].offset < end {
                    offset = otherEnd
                    moved = true
                }
            }
        }
        return offset
    }

    private func livesWith(_ tensor: Int, _ other: Int) -> Bool {
        lifetimes[other].lastStep >= lifetimes[tensor].firstStep
    }
}
